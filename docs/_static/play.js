/* The page to play with. PLAY (play-data.js) holds, for three moments of a run and five κ, R and the SVD of J;
   what k, rtol and η do with them is computed here. Nothing is fetched. */
"use strict";

const byId = (id) => document.getElementById(id);
const sum = (a) => a.reduce((s, x) => s + x, 0);
const dot = (a, b) => sum(a.map((x, i) => x * b[i]));

/* The net 1–8–1 with tanh; θ = [W1 (8), b1 (8), W2 (8), b2]. */
function net(theta, x) {
  const n = PLAY.hidden;
  let z = theta[3 * n];
  for (let j = 0; j < n; j++) z += theta[2 * n + j] * Math.tanh(x * theta[j] + theta[n + j]);
  return z;
}

const loss = (theta) => sum(PLAY.x.map((x, i) => (net(theta, x) - PLAY.y[i]) ** 2));

/* One step: what sr.step does, from the triplets. */
function step({ moment, kappa, k, rtol, eta }) {
  const { theta } = PLAY.moments[moment];
  const { R, U, s, Vt } = PLAY.moments[moment].rows[kappa];
  const kept = s.map((sigma, i) => i < k && sigma > rtol * s[0]);
  const q = kept.filter(Boolean).length;
  const c = s.map((_, i) => dot(U.map((row) => row[i]), R)); // UᵀR
  const delta = theta.map((_, j) => sum(s.map((sigma, i) => (kept[i] ? (Vt[i][j] * c[i]) / sigma : 0))));
  const after = (h) => theta.map((t, j) => t - h * delta[j]);
  const p = 2 / PLAY.kappas[kappa];
  const predicted = (h) =>
    sum(R.map((r, a) => Math.abs(r - h * sum(c.map((ci, i) => (kept[i] ? U[a][i] * ci : 0)))) ** p));
  return {
    theta, s, c, kept, q, after, predicted,
    parts: c.map((ci) => ci ** 2 / dot(R, R)),
    length: eta * Math.sqrt(dot(delta, delta)),
    before: loss(theta), promised: predicted(eta), actual: loss(after(eta)),
  };
}

/* ---- drawing ---------------------------------------------------------------------------------------------------- */

const W = 420, H = 270, LEFT = 62, RIGHT = 12, TOP = 12, BOTTOM = 48;

class Plot {
  constructor(id, [x0, x1], xticks, [y0, y1], xlabel, ylabel, log = false) {
    Object.assign(this, { svg: byId(id), x0, x1, y0, y1, log, marks: [] });
    const ticks = (lo, hi, n) => Array.from({ length: n + 1 }, (_, i) => lo + ((hi - lo) * i) / n);
    const step = Math.ceil((y1 - y0) / 5); // of a logarithmic axis, in decades
    const ys = log ? ticks(y0, y0 + step * Math.floor((y1 - y0) / step), Math.floor((y1 - y0) / step)) : ticks(y0, y1, 4);
    for (const y of ys) {
      this.line([[x0, y], [x1, y]], "grid");
      this.text(LEFT - 6, this.py(y) + 5, log ? `1e${y}` : +y.toFixed(2), "tick", "end");
    }
    for (const x of xticks) this.text(this.px(x), H - BOTTOM + 18, x, "tick", "middle");
    this.text((LEFT + W - RIGHT) / 2, H - 6, xlabel, "label", "middle");
    this.text(14, (TOP + H - BOTTOM) / 2, ylabel, "label", "middle", `rotate(-90 14 ${(TOP + H - BOTTOM) / 2})`);
  }
  px(x) { return LEFT + ((x - this.x0) / (this.x1 - this.x0)) * (W - LEFT - RIGHT); }
  py(y) {
    const z = Math.min(1.04, Math.max(-0.04, (y - this.y0) / (this.y1 - this.y0)));
    return H - BOTTOM - z * (H - TOP - BOTTOM);
  }
  text(x, y, s, cls, anchor, transform = "") {
    this.marks.push(`<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" class="${cls}" text-anchor="${anchor}" transform="${transform}">${s}</text>`);
  }
  line(points, cls) {
    const d = points.map(([x, y]) => `${this.px(x).toFixed(1)},${this.py(y).toFixed(1)}`).join(" ");
    this.marks.push(`<polyline points="${d}" class="${cls}"/>`);
  }
  dot(x, y, cls, r = 5) {
    this.marks.push(`<circle cx="${this.px(x).toFixed(1)}" cy="${this.py(y).toFixed(1)}" r="${r}" class="${cls}"/>`);
  }
  bar(x, y, width, cls) {
    const [a, b, top] = [this.px(x - width / 2), this.px(x + width / 2), this.py(y)];
    this.marks.push(`<rect x="${a.toFixed(1)}" y="${top.toFixed(1)}" width="${(b - a).toFixed(1)}" height="${Math.max(0, this.py(0) - top).toFixed(1)}" class="${cls}"/>`);
  }
  show() { this.svg.innerHTML = this.marks.join(""); }
}

const show = (x) => (x !== 0 && (Math.abs(x) < 0.01 || Math.abs(x) >= 1e4) ? x.toExponential(2) : x.toPrecision(3));

function read() {
  const value = (id) => Number(byId(id).value);
  const log = value("rtol");
  return { moment: value("moment"), kappa: value("kappa"), k: value("k"), rtol: 10 ** log, eta: value("eta") };
}

function draw() {
  const o = read(), r = step(o), kappa = PLAY.kappas[o.kappa];
  byId("k-value").textContent = o.k;
  byId("rtol-value").textContent = o.rtol.toExponential(1);
  byId("kappa-value").textContent = kappa;
  byId("eta-value").textContent = o.eta.toFixed(2);
  for (const [id, text] of [["k", o.k], ["rtol", o.rtol.toExponential(1)], ["kappa", kappa], ["eta", o.eta.toFixed(2)]])
    byId(id).setAttribute("aria-valuetext", text);

  const range = [0.4, 12.6], numbers = [1, 4, 8, 12];
  const spectrum = new Plot("spectrum", range, numbers, [-8, 0], "i, number of the triplet", "σᵢ / σ₁", true);
  spectrum.line(range.map((x) => [x, Math.log10(o.rtol)]), "cut");
  spectrum.line([[o.k + 0.5, -8], [o.k + 0.5, 0]], "cut");
  r.s.forEach((sigma, i) => spectrum.dot(i + 1, Math.log10(sigma / r.s[0]), r.kept[i] ? "kept" : "dropped"));
  spectrum.show();

  const parts = new Plot("parts", range, numbers, [0, 1], "i, number of the triplet", "share of ‖R‖²");
  r.parts.forEach((part, i) => parts.bar(i + 1, part, 0.7, r.kept[i] ? "kept" : "dropped"));
  parts.show();

  const grid = Array.from({ length: 121 }, (_, i) => -2.2 + (4.4 * i) / 120);
  const f = new Plot("function", [-2.2, 2.2], [-2, -1, 0, 1, 2], [-2, 2], "x", "f(x)");
  const moved = r.after(o.eta), near = r.after(1e-4 * o.eta);
  f.line(grid.map((x) => [x, net(r.theta, x)]), "before");
  f.line(grid.map((x) => [x, net(r.theta, x) + (net(near, x) - net(r.theta, x)) / 1e-4]), "predicted");
  f.line(grid.map((x) => [x, net(moved, x)]), "actual");
  PLAY.x.forEach((x, i) => f.dot(x, PLAY.y[i], "sample", 3.5));
  f.show();

  const etas = Array.from({ length: 101 }, (_, i) => (6 * i) / 100);
  const curve = new Plot("losses", [0, 6], [0, 2, 4, 6], [-6, 3], "η, learning rate", "loss Σ ℓ", true);
  const lg = (x) => Math.log10(Math.max(x, 1e-12));
  curve.line(etas.map((h) => [h, lg(r.predicted(h))]), "predicted");
  curve.line(etas.map((h) => [h, lg(loss(r.after(h)))]), "actual");
  curve.line([[o.eta, -6], [o.eta, 3]], "cut");
  curve.dot(o.eta, lg(r.actual), "kept");
  curve.show();

  const keptPart = sum(r.parts.filter((_, i) => r.kept[i]));
  byId("readout").innerHTML =
    `rank q = <b id="out-rank">${r.q}</b>; kept <b>${(100 * keptPart).toFixed(1)} %</b> of ‖R‖²; ` +
    `step length <b id="out-length">${show(r.length)}</b>; loss <b id="out-before">${show(r.before)}</b> → predicted ` +
    `<b id="out-predicted">${show(r.promised)}</b>, actual <b id="out-actual">${show(r.actual)}</b>`;
}

for (const id of ["moment", "kappa", "k", "rtol", "eta"]) byId(id).addEventListener("input", draw);
byId("play").hidden = false;
draw();
