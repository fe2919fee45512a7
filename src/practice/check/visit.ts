import '../guard.ts';
import { formTo, textOf, Walker } from '../walker.ts';
import type { Authority, Opened } from './authority.ts';
import type { Contract, StoredAct } from './contract.ts';

/** A browser at the service under test. */
export interface Visit {
  readonly walker: Walker;
  /** The session that the authority opened for it; undefined when none was asked. */
  readonly opened: Opened | undefined;
}

/** A service that answers later than this has not answered. */
const ANSWER_MS = 10_000;

const spaced = (text: string): string => text.replace(/[\s\u00a0\u202f]+/g, ' ');

/** What can be done at the service as an aidant, and what can be read of it. */
export const createVisits = (base: string, contract: Contract, authority: Authority) => {
  const at = (path: string): URL => new URL(path, base);
  /** Opens a page without following it to the authority: a service that asks to sign in again is not signed in. */
  const look = async (walker: Walker, path: string) => walker.open(at(path), undefined, authority.origin);

  return {
    /** Signs an aidant in, in a new browser. */
    signIn: async (): Promise<Visit> => {
      const walker = new Walker(ANSWER_MS);
      const before = authority.opened.length;
      await walker.open(at(contract.sign_in));
      return { walker, opened: authority.opened[before] };
    },
    /** For each page, what it shows of the banner. A page that is refused shows nothing, whatever its words. */
    shown: async ({ walker }: Visit): Promise<readonly { page: string; organisation: boolean; person: boolean }[]> => {
      const seen = [];
      for (const page of contract.pages) {
        const answer = await look(walker, page);
        const text = answer.status < 300 ? textOf(answer) : '';
        seen.push({ page, organisation: text.includes(spaced(authority.organisation)), person: text.includes(authority.person.family_name) });
      }
      return seen;
    },
    /** The fields of the act, with what its page adds to them; undefined when the page has no such form. */
    prepare: async ({ walker }: Visit): Promise<Readonly<Record<string, string>> | undefined> => {
      const { page, action, fields } = contract.write;
      if (page === undefined) return fields;
      const form = formTo(await look(walker, page), at(action).pathname);
      return form && { ...form.fields, ...fields };
    },
    /** Posts the act; the status of the answer. */
    send: async ({ walker }: Visit, fields: Readonly<Record<string, string>>): Promise<number> => {
      const answer = await walker.ask(at(contract.write.action), fields);
      await answer.body?.cancel();
      return answer.status;
    },
    /** What the service stored so far. */
    acts: async (): Promise<readonly Partial<StoredAct>[]> => {
      const answer = await fetch(at(contract.acts), { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(ANSWER_MS) });
      const value: unknown = await answer.json();
      if (!answer.ok || !Array.isArray(value)) throw new Error(`${contract.acts} answered ${answer.status}, or no JSON array`);
      return value as readonly Partial<StoredAct>[];
    },
    /** Posts to the back channel as Relais does; the status of the answer. */
    tell: async (token: string): Promise<number> => {
      const answer = await fetch(contract.backchannel_logout_uri, {
        method: 'POST',
        redirect: 'manual',
        signal: AbortSignal.timeout(ANSWER_MS),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ logout_token: token }),
      });
      await answer.body?.cancel();
      return answer.status;
    },
    /** Pushes a security event as Relais does (RFC 8935); the status of the answer. */
    signal: async (set: string): Promise<number> => {
      const answer = await fetch(contract.signals_uri ?? '', {
        method: 'POST',
        redirect: 'manual',
        signal: AbortSignal.timeout(ANSWER_MS),
        headers: {
          'content-type': 'application/secevent+jwt',
          accept: 'application/json',
          ...(contract.signals_authorization === undefined ? {} : { authorization: contract.signals_authorization }),
        },
        body: set,
      });
      await answer.body?.cancel();
      return answer.status;
    },
  };
};

export type Visits = ReturnType<typeof createVisits>;
