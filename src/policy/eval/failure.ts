/** The two ways in which a policy is not evaluated: it is refused at load, or it fails on a request. */

/** An evaluation that has no value. Cedar skips such a policy; `decide` denies. */
export class EvaluationError extends Error {}

/** A policy in which something is unknown to this evaluator. It is refused at load, never skipped. */
export class Unsupported extends Error {}
