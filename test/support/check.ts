import strict from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import nodeTest, { type TestContext, type TestOptions } from 'node:test';
import { inspect } from 'node:util';

/** What a test says of itself to the report (docs/claims.md). */
export interface CheckOptions extends TestOptions {
  /** The database it ran on; `both` when one test uses the two. */
  readonly database?: 'pglite' | 'postgres' | 'both';
  /**
   * For a test whose number of assertions depends on timing or chance: what it runs at the very least. The report then shows this number,
   * so that it stays the same from run to run, and the test fails when fewer ran.
   */
  readonly atLeast?: number;
}

type Body = (t: TestContext) => void | Promise<void>;
type Given = [Body] | [CheckOptions, Body];

const parts = (given: Given): [CheckOptions, Body] => (given.length === 1 ? [{}, given[0]] : given);

const counting = new AsyncLocalStorage<{ assertions: number }>();

/** `assert.ok` quotes the source line of its caller, which here would be ours: say the value instead. */
const clearer = (error: unknown, start: (...given: never[]) => unknown): unknown =>
  error instanceof strict.AssertionError && error.generatedMessage && error.operator === '=='
    ? new strict.AssertionError({ message: `a true value was expected, found ${inspect(error.actual)}`, operator: 'ok', stackStartFn: start })
    : error;

const counted = <F extends (...given: never[]) => unknown>(call: F): F => {
  const apply = (target: F, self: unknown, given: never[]): unknown => {
    const count = counting.getStore();
    if (count) count.assertions++;
    try {
      return Reflect.apply(target, self, given);
    } catch (error) {
      throw clearer(error, apply);
    }
  };
  const get = (target: F, name: string | symbol): unknown => {
    const value: unknown = Reflect.get(target, name);
    return typeof value === 'function' && !/^[A-Z]/.test(String(name)) ? counted(value as F) : value;
  };
  return new Proxy(call, { apply, get });
};

/** `node:assert/strict`, each call counted for the test that makes it. */
export const assert: typeof strict = counted(strict);

/** Runs a test's body with a counter of its own, publishes what it counted, and hands it on to the test around it. */
const counter =
  ({ database, atLeast }: CheckOptions, body: Body) =>
  async (t: TestContext): Promise<void> => {
    const around = counting.getStore();
    const count = { assertions: 0 };
    const inner = t.test.bind(t);
    // Tests inside a test are counted as well: they may carry a claim of their own.
    t.test = ((title: string, ...rest: Given) => {
      const [options, nested] = parts(rest);
      return inner(title, options, counter(options, nested));
    }) as typeof t.test;
    try {
      await counting.run(count, async () => body(t));
    } finally {
      if (around) around.assertions += count.assertions;
    }
    if (database) t.diagnostic(`database: ${database}`);
    if (atLeast !== undefined) strict.ok(count.assertions >= atLeast, `only ${count.assertions} assertions ran, ${atLeast} were promised`);
    t.diagnostic(`assertions: ${atLeast === undefined ? '' : 'at least '}${atLeast ?? count.assertions}`);
  };

/** `test` of node:test, which also publishes how many assertions ran, and on which database. */
export const test = (title: string, ...rest: Given): Promise<void> => {
  const [options, body] = parts(rest);
  return nodeTest(title, options, counter(options, body));
};
