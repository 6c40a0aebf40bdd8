// The differences of rbench.report.diff, for two rows that the reader chooses.

function logGamma(x) {
  // Lanczos, g = 7, nine coefficients.
  const c = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
    -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
    1.5056327351493116e-7];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const t = x + 6.5;
  const sum = c.slice(1).reduce((total, one, place) => total + one / (x + place), c[0]);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

// The regularized incomplete beta function, by its continued fraction (Lentz).
function betaInc(a, b, x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - betaInc(b, a, 1 - x);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  const away = (value) => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let c = 1, d = 1 / away(1 - ((a + b) * x) / (a + 1)), product = d;
  for (let m = 1; m < 500; m++) {
    for (const step of [(m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))]) {
      d = 1 / away(1 + step * d);
      c = away(1 + step / c);
      product *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return front * product;
}

// Two-sided p of Student's t, and the t whose p is 0.05.
const twoSided = (t, freedom) => betaInc(freedom / 2, 0.5, freedom / (freedom + t * t));
function quantile(freedom) {
  let low = 0, high = 1;
  while (twoSided(high, freedom) > 0.05) high *= 2;
  for (let step = 0; step < 200 && high - low > 1e-14 * high; step++) {
    const middle = (low + high) / 2;
    if (twoSided(middle, freedom) > 0.05) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

function summarize(values) {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const same = values.every((value) => value === values[0]);
  return { n, mean: same ? values[0] : mean, sem: n < 2 ? null : same ? 0 : Math.sqrt(square / (n - 1) / n) };
}

// A metric's values by seed, finite ones only.
function valuesOf(row, place) {
  const run = row.runs[place];
  const all = row.seeds.map((seed, index) => [seed, Array.isArray(run) ? run[index] : run]);
  return all.filter((pair) => pair[1] !== null);
}

function summaryOf(row, place) {
  const values = valuesOf(row, place).map((pair) => pair[1]);
  const networks = row.networks[place];
  // Of one run with several random networks: the spread over these.
  if (values.length === 1 && networks)
    return { n: networks[0], mean: values[0], sem: networks[1] / Math.sqrt(networks[0]) };
  return values.length ? summarize(values) : null;
}

// B - A: paired over the seeds that both have, if at least two, else Welch's; null without values.
export function differenceOf(a, b, place) {
  const first = new Map(valuesOf(a, place)), second = new Map(valuesOf(b, place));
  const shared = [...first.keys()].filter((seed) => second.has(seed));
  let value, sem, freedom, n, paired = shared.length > 1;
  if (paired) {
    const gaps = summarize(shared.map((seed) => second.get(seed) - first.get(seed)));
    [value, sem, freedom, n] = [gaps.mean, gaps.sem, gaps.n - 1, gaps.n];
  } else {
    const [one, other] = [summaryOf(a, place), summaryOf(b, place)];
    if (!one || !other) return null;
    [value, n] = [other.mean - one.mean, Math.min(one.n, other.n)];
    if (one.sem === null || other.sem === null) return { value, n, paired, low: null, high: null, p: null, smallest: null };
    sem = Math.hypot(one.sem, other.sem);
    freedom = one.n + other.n - 2;
    if (sem > 0) freedom = 1 / ((one.sem / sem) ** 4 / (one.n - 1) + (other.sem / sem) ** 4 / (other.n - 1));
  }
  if (sem === 0) return { value, n, paired, low: value, high: value, p: value === 0 ? 1 : 0, smallest: 0 };
  const half = quantile(freedom) * sem;
  return { value, n, paired, low: value - half, high: value + half, p: twoSided(value / sem, freedom), smallest: half };
}

export function wordOf(gap, higher) {
  if (gap.low === null) return "one seed: cannot tell";
  if (gap.low <= 0 && 0 <= gap.high) return gap.low === 0 && gap.high === 0 ? "no difference" : "within the noise";
  if (higher === null) return gap.value > 0 ? "higher" : "lower";
  return gap.value > 0 === higher ? "better" : "worse";
}
