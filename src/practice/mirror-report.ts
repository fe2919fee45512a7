import './guard.ts';
import * as client from 'openid-client';
import { randomToken } from '../kernel/crypto.ts';
import type { RelyingParty } from './mirror-client.ts';
import { type Report, record, type Session, type StepUp } from './mirror-session.ts';

/** What is said to Relais of one act; `id` names the act, so that saying it twice writes it once. */
export interface Act {
  readonly id?: string;
  /** Whether to say it later when Relais does not answer now: yes for what was done, no for what will then not be shown. */
  readonly keep?: boolean;
  readonly verb: 'open' | 'read' | 'send' | 'change';
  readonly demarche: string;
  readonly outcome?: 'success' | 'failure';
  readonly reference?: string;
}

/** The challenge of RFC 9470 §3 in an answer, if it is one. */
const stepUpOf = (error: client.WWWAuthenticateChallengeError): StepUp | undefined => {
  const asked = error.cause.find(({ parameters }) => parameters.error === 'insufficient_user_authentication')?.parameters;
  if (!asked) return undefined;
  const [acr, age] = [asked['acr_values'], Number(asked['max_age'])];
  return { ...(acr ? { acrValues: acr } : {}), ...(age > 0 ? { maxAge: age } : {}) };
};

const meets = (token: client.IntrospectionResponse, { acrValues, maxAge }: StepUp): boolean =>
  (acrValues === undefined || token['acr'] === acrValues) && (maxAge === undefined || Number(token['auth_time']) + maxAge > Date.now() / 1000);

const WAITS = [0, 150, 600] as const;

/**
 * Makes the two conversations that a service has with Relais while somebody acts: does it still hold, and here is what was done.
 * An act that could not be told is told again every few seconds until Relais answers.
 */
export const createReporter = (options: {
  readonly relyingParty: RelyingParty;
  readonly relaisOrigin: string;
  readonly source: string;
  readonly stepUps: Map<string, StepUp>;
  readonly retryEveryMs?: number | undefined;
}) => {
  const { relyingParty } = options;
  const endpoint = new URL('/api/v1/actions', options.relaisOrigin);
  const waiting = new Set<{ readonly session: Session; readonly body: string }>();

  const post = async (token: string, body: string): Promise<Response> => relyingParty.call(token, endpoint, body, 'application/cloudevents+json');
  const attempt = async (session: Session, body: string, demarche?: string): Promise<Report> => {
    let response: Response;
    try {
      response = await post(session.accessToken, body);
    } catch (error) {
      if (!(error instanceof client.WWWAuthenticateChallengeError)) throw error;
      const stepUp = stepUpOf(error);
      if (stepUp) {
        if (demarche !== undefined) options.stepUps.set(demarche, stepUp);
        return { kind: 'stale' };
      }
      // The mandate ended between the check and the report: the act was done, so it is told under the service's own name.
      response = await post(await relyingParty.ownToken('actions:write'), body);
    }
    if (response.status >= 500) throw new Error(`report answered ${response.status}`);
    return readReport(response.ok, await response.text());
  };
  const retry = setInterval(() => {
    for (const item of waiting) {
      waiting.delete(item);
      attempt(item.session, item.body).catch(() => waiting.add(item));
    }
  }, options.retryEveryMs ?? 5000);
  retry.unref();

  return {
    /** Says whether the token still holds, for this person and this delegated session; `stale` when what this démarche asks of the sign-in is not met. */
    async holds(session: Session, demarche: string): Promise<'active' | 'inactive' | 'unavailable' | 'stale'> {
      try {
        const answer = await relyingParty.introspect(session.accessToken);
        const details: readonly unknown[] = Array.isArray(answer['authorization_details']) ? answer['authorization_details'] : [];
        const named = !session.acting || details.some((detail) => record(detail)['session'] === session.acting?.session);
        if (!answer.active || answer.sub !== session.sub || !named) return 'inactive';
        const asked = session.acting && options.stepUps.get(demarche);
        return asked && !meets(answer, asked) ? 'stale' : 'active';
      } catch {
        return 'unavailable';
      }
    },
    /** Tells Relais of one act. Somebody who acts for herself reports nothing. */
    async report(session: Session, act: Act): Promise<Report> {
      if (!session.acting) return { kind: 'none' };
      const { id, keep, ...data } = act;
      const body = JSON.stringify({
        specversion: '1.0',
        id: `evt-${id ?? randomToken(12)}`,
        source: options.source,
        type: 'fr.relais.action.v1',
        time: new Date().toISOString(),
        data: { session: session.acting.session, outcome: 'success', ...data },
      });
      for (const wait of WAITS) {
        await new Promise((resolve) => setTimeout(resolve, wait));
        try {
          return await attempt(session, body, act.demarche);
        } catch {
          // Tried again below, then kept.
        }
      }
      if (keep) waiting.add({ session, body });
      return { kind: 'pending' };
    },
    close: (): void => clearInterval(retry),
  };
};

export type Reporter = ReturnType<typeof createReporter>;

const readReport = (ok: boolean, text: string): Report => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'refused', code: 'unreadable_answer' };
  }
  const body: unknown = Array.isArray(value) ? value[0] : value;
  const index = record(body)['index'];
  if (ok && typeof index === 'number') return { kind: 'receipt', index };
  return { kind: 'refused', code: String(record(body)['code'] ?? record(body)['type'] ?? 'refused') };
};
