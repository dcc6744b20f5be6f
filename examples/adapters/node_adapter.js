// JavaScript on Node with the SVD of ml-matrix (npm install ml-matrix): pinv_apply and step, in float64.
//   sven-ref verify --cmd "node examples/adapters/node_adapter.js" --only "pinv-apply-*" "step-*"
"use strict";
const { Matrix, SingularValueDecomposition } = require("ml-matrix");

const finite = (a) => a.every((x) => (Array.isArray(x) ? finite(x) : Number.isFinite(x)));

// x = Σ_{i ≤ q} v_i (u_iᵀ R)/σ_i and the kept σ: i ≤ k, σ_i > rtol σ_1 and σ_i > atol, all strict
function pinvApply(rows, R, k, rtol, atol) {
  if (!(k === null || (Number.isInteger(k) && k >= 1)) || !(rtol >= 0 && rtol < 1) || !(atol >= 0))
    throw new Error(`k = ${k}, rtol = ${rtol}, atol = ${atol}`);
  const M = rows.length, P = rows[0].length;
  if (R.length !== M || rows.some((row) => row.length !== P)) throw new Error("J and R do not fit together");
  if (!finite(rows) || !finite(R)) throw new Error("every number must be finite");
  // the SVD is that of J/c with c a power of two, which is exact, so that no square overflows
  const largest = Math.max(...rows.flat().map(Math.abs));
  const c = largest > 0 ? 2 ** Math.floor(Math.log2(largest)) : 1;
  const svd = new SingularValueDecomposition(Matrix.div(new Matrix(rows), c), { autoTranspose: true });
  const s = svd.diagonal, U = svd.leftSingularVectors, V = svd.rightSingularVectors;
  const zero = 4 * Number.EPSILON * Math.sqrt(Math.max(M, P)) * s[0]; // nothing, to working precision
  let q = 0;
  while (q < Math.min(k ?? Infinity, M, P) && s[q] > rtol * s[0] && s[q] > atol / c && s[q] > zero) q++;
  const x = new Array(P).fill(0);
  for (let i = 0; i < q; i++) {
    const y = R.reduce((sum, r, m) => sum + U.get(m, i) * r, 0) / s[i];
    for (let p = 0; p < P; p++) x[p] += V.get(p, i) * y;
  }
  return { x: x.map((t) => t / c), s: s.slice(0, q).map((t) => t * c) };
}

function run(op, { J, R, k, rtol, atol, theta, lr, columns }) {
  const S = columns ?? J[0].map((_, p) => p);
  const { x, s } = pinvApply(columns ? J.map((row) => S.map((p) => row[p])) : J, R, k, rtol, atol);
  if (op === "pinv_apply") return { update: x, rank: s.length, singular_values: s };
  if (!finite(theta) || !Number.isFinite(lr) || theta.length !== J[0].length) throw new Error("theta, lr");
  const moved = [...theta];
  S.forEach((p, i) => (moved[p] -= lr * x[i]));
  return { theta: moved, rank: s.length, singular_values: s };
}

const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { command, id, op, input } = JSON.parse(line);
  if (command === "stop") process.exit(0);
  if (command === "start")
    return say({
      protocol: 1,
      name: "ml-matrix svd on node",
      version: process.version,
      ops: ["pinv_apply", "step"],
      dtypes: ["float64"],
    });
  try {
    const output = run(op, input);
    if (!finite([output.update ?? output.theta, output.singular_values])) throw new Error("the answer is not finite");
    say({ id, output });
  } catch (error) {
    say({ id, error: error.message });
  }
});
