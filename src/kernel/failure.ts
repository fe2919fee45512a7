/**
 * The one error class of the code: a fault (never an expected refusal, which is a returned value).
 * `code` is stable and public; `detail` is for the operator's log and holds nothing personal.
 */
export class Failure extends Error {
  readonly code: string;
  readonly detail: string | undefined;
  constructor(code: string, detail?: string, options?: ErrorOptions) {
    super(detail ? `${code}: ${detail}` : code, options);
    this.name = 'Failure';
    this.code = code;
    this.detail = detail;
  }
}

/** Fails when a value that the types exclude arrives all the same. */
export const assertNever = (value: never): never => {
  throw new Failure('unreachable', `unexpected value of type ${typeof value}`);
};
