import type { ServerResponse } from 'node:http';
import { errors } from 'oidc-provider';

/** What a service is told when Relais cannot answer now: 503, and to try again (RFC 6749 §4.1.2.1). Nothing was written. */
export const unavailable = (description: string, cause?: unknown): Error =>
  Object.assign(new errors.TemporarilyUnavailable(description, cause === undefined ? undefined : { cause }), { status: 503, statusCode: 503 });

/** The same port, whose failures that pass by themselves (`passes`) are said in the library's words instead of as a fault of ours. */
export const sayingUnavailable = <T extends object>(port: T, passes: (error: unknown) => boolean): T =>
  new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...given: unknown[]): Promise<unknown> => {
        try {
          return await Reflect.apply(member, target, given);
        } catch (error) {
          throw passes(error) ? unavailable('try again later', error) : error;
        }
      };
    },
  });

const answerClosed = (_request: unknown, response: ServerResponse): void => {
  response.writeHead(503, { 'content-type': 'application/json', 'retry-after': '60', 'cache-control': 'no-store' });
  response.end(JSON.stringify({ error: 'temporarily_unavailable', error_description: 'nothing is signed now: try again later' }));
};

/** The same functions, of which none does anything any more: `error` is why, and requests of services are told to try again. */
export const closed = <T extends { handler: unknown }>(provider: T, error: unknown): T =>
  Object.fromEntries(
    Object.keys(provider).map((name) => [
      name,
      name === 'handler'
        ? answerClosed
        : () => {
            throw error;
          },
    ]),
  ) as unknown as T;
