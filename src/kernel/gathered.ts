import { outsideRequest } from './request-scope.ts';

interface Waiting<Q, A> {
  readonly asked: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes one `work` of many calls: those of the same turn of the event loop, and those that arrive while `atOnce` works are under way. A work answers
 * in the order asked. If it fails, each call is tried alone, so that one which cannot be done does not take the others with it; `work` must bear that.
 */
export const gathered = <Q, A>(
  work: (asked: readonly Q[]) => Promise<readonly A[]>,
  limits: { readonly atOnce: number; readonly most: number; readonly size?: (asked: Q) => number },
): ((asked: Q) => Promise<A>) => {
  const { atOnce, most, size = () => 1 } = limits;
  const waiting: Waiting<Q, A>[] = [];
  let underWay = 0;
  let scheduled = false;

  const send = async (batch: readonly Waiting<Q, A>[]): Promise<void> => {
    try {
      const answers = await work(batch.map((each) => each.asked));
      batch.forEach((each, i) => {
        each.resolve(answers[i] as A);
      });
    } catch (error) {
      if (batch.length > 1) await Promise.all(batch.map((each) => send([each])));
      else batch[0]?.reject(error);
    }
  };

  const flush = (): void => {
    scheduled = false;
    while (waiting.length && underWay < atOnce) {
      let count = 0;
      let total = 0;
      for (const each of waiting) {
        total += size(each.asked);
        if (count && total > most) break;
        count++;
      }
      underWay++;
      void send(waiting.splice(0, count)).finally(() => {
        underWay--;
        flush();
      });
    }
  };

  return (asked) =>
    new Promise((resolve, reject) => {
      waiting.push({ asked, resolve, reject });
      if (scheduled || underWay >= atOnce) return;
      scheduled = true;
      outsideRequest(() => setImmediate(flush));
    });
};
