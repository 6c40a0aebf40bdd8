from rbench.testing import check_plugin


def test_contract():
    check_plugin("example")
