import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ActionEvent, readEvent } from '../../actions/action.ts';
import type { ActionRefusal, Outcome, StepUp } from '../../actions/actions.ts';
import { ACTIONS_SCOPE, DPOP_ALGS, delegatedAcr } from '../../provider/names.ts';
import type { BearerRefusal } from '../../provider/parts.ts';
import { refusedWith } from '../../services/requests.ts';
import { statusOf } from '../error-handler.ts';
import type { Site } from '../site.ts';
import { createTries } from '../tries.ts';

const MOST_EVENTS = 500;
const MOST_BYTES = 1_048_576;

/** Title and remedy of each refusal, for the integrator who reads the answer (RFC 9457). */
export const PROBLEMS: Readonly<Record<string, readonly [title: string, remedy: string]>> = {
  token_refused: ['The access token is refused', 'Use the access token of the delegated session, or one of scope actions:write.'],
  malformed: ['The event is malformed', 'Correct the member that the detail names.'],
  session_unknown: ['No such session for this service', 'Send the session given in authorization_details.'],
  session_too_old: ['The session ended more than 24 hours ago', 'Report acts when they happen.'],
  time_out_of_range: ['The time is outside the session', 'Send the time of the act: after the session opened, before it ended, not in the future.'],
  demarche_unknown: ['The démarche is not in your catalogue', 'Register the démarche, and have it approved, before reporting it.'],
  outside_mandate: ['The démarche is outside the mandate', 'The act was recorded as outside the mandate and is shown to the usager.'],
  outside_session: [
    'The session was not opened for this démarche',
    'The act was recorded, and the usager reads that another sign-in was needed. Ask for the authorization again, for this démarche or for the theme.',
  ],
  insufficient_authentication: [
    'The démarche asks more of the sign-in',
    'The act was recorded, and the usager reads that it asked for more. Ask for the authorization again, with the acr_values and max_age of this answer.',
  ],
  event_differs: ['Another event has this id', 'Give each act its own id.'],
  too_large: ['The report is too large', `Send at most ${MOST_EVENTS} events and 1 MiB.`],
  unsupported_media_type: [
    'The media type is not supported',
    'Send application/cloudevents+json or application/cloudevents-batch+json for reports, application/json for streams.',
  ],
  invalid_request: ['The request is malformed', 'Send JSON.'],
  too_many_requests: ['Too many requests', 'Try again later.'],
  unexpected: ['Relais has failed', 'Try again with the same event: it will not be recorded twice.'],
  unavailable: ['Relais is not available', 'Try again with the same event: it will not be recorded twice.'],
  outcome_unknown: ['Relais does not know whether it was recorded', 'Try again with the same event: it will not be recorded twice.'],
  journal_unavailable: ['The journal is not available', 'Try again with the same event: it will not be recorded twice.'],
  signature_refused: ['The signature is refused', 'Sign the body with the shared key, within five minutes.'],
  request_unknown: ['No such request', 'Bring back the reference and the number of the message that is answered.'],
  reason_required: ['A reason is required', 'Send the header Relais-Reason: why, in one line, percent-encoded. The people concerned read it.'],
  second_agent_required: [
    'A second agent is required',
    'More than 1,000 people in a day: take a file in the space, with the approval of another agent.',
  ],
  session_expired: ['Nobody is signed in', 'Sign in, then ask again in the same browser.'],
  validity_malformed: [
    'The question is malformed',
    'Send the identifier of the mandate, or its printed reference, one of your themes as theme, and an RFC 3339 instant with its zone as at.',
  ],
  time_in_future: ['The instant is in the future', 'Ask about now, or about the past.'],
  mandate_unknown: ['No such mandate', 'Only a mandate that was used at your service can be asked about, for a theme of yours.'],
  stream_token_refused: ['The access token is refused', 'Use a token of the service itself (client_credentials), in the Authorization header.'],
  insufficient_scope: [
    'The access token lacks a scope',
    'Ask for a token of the scope that WWW-Authenticate names; ssf.read is enough to read a stream and to poll.',
  ],
  stream_unknown: ['No such stream for this service', 'Read GET /ssf/stream.'],
  stream_exists: ['The service has a stream', 'Change it, or remove it first.'],
  stream_malformed: ['The request is malformed', 'Send what SSF 1.0 or RFC 8936 says, as JSON.'],
  not_found: ['No such resource', 'Read the documentation of the API.'],
};

export const problem = (code: string, detail?: string): { type: string; title: string; status: number; code: string; detail: string } => {
  refusedWith(code);
  const [title, remedy] = PROBLEMS[code] ?? PROBLEMS['invalid_request'] ?? ['', ''];
  return { type: `urn:relais:problem:${code}`, title, status: statusOf(code), code, detail: detail ?? remedy };
};

export const sendProblem = (reply: FastifyReply, code: string, detail?: string): FastifyReply =>
  reply
    .code(statusOf(code))
    .type('application/problem+json')
    .send(JSON.stringify(problem(code, detail)));

/**
 * Refuses a request that its token does not open: 401, or 403 when it only lacks a scope (RFC 6750 §3.1, RFC 9449 §7.1). Whoever showed no token at all
 * is told no error of it. `more`: what else the challenge says.
 */
export const refuseToken = (
  reply: FastifyReply,
  authorization: string | undefined,
  refusal: BearerRefusal | undefined,
  scope: string,
  { code = 'token_refused', more = [] }: { readonly code?: string; readonly more?: readonly string[] } = {},
): FastifyReply => {
  const scheme = refusal?.scheme ?? (/^dpop /i.test(authorization ?? '') ? 'DPoP' : 'Bearer');
  const said = refusal ? [`error="${refusal.error}"`, `error_description="${refusal.refused}"`] : ['error="insufficient_scope"', `scope="${scope}"`];
  const parameters = [...(authorization === undefined ? [] : said), ...(scheme === 'DPoP' ? [`algs="${DPOP_ALGS.join(' ')}"`] : []), ...more];
  reply.header('www-authenticate', [scheme, parameters.join(', ')].filter(Boolean).join(' '));
  return refusal ? sendProblem(reply, code, refusal.refused) : sendProblem(reply, 'insufficient_scope', `the access token needs the scope ${scope}`);
};

/** What an authorization must ask for, so that the démarche is met (RFC 9470 §3). */
const askedOf = (stepUp: StepUp | undefined): { acr_values?: string; max_age?: number } => ({
  ...(stepUp?.level ? { acr_values: delegatedAcr(stepUp.level) } : {}),
  ...(stepUp?.maxAge === undefined ? {} : { max_age: stepUp.maxAge }),
});

/** The challenge of RFC 9470, if an act of the request needs one: the highest level and the shortest time of those that do. */
const challenge = (scheme: string, outcomes: readonly Outcome[]): string | undefined => {
  const needs = outcomes.flatMap((outcome) => ('refused' in outcome && outcome.stepUp ? askedOf(outcome.stepUp) : []));
  if (!needs.length) return undefined;
  const acr = needs.find(({ acr_values }) => acr_values)?.acr_values;
  const ages = needs.flatMap(({ max_age }) => max_age ?? []);
  const said = [
    'error="insufficient_user_authentication"',
    'error_description="the demarche asks more of the sign-in"',
    ...(acr ? [`acr_values="${acr}"`] : []),
    ...(ages.length ? [`max_age="${Math.min(...ages)}"`] : []),
  ];
  return `${scheme} ${said.join(', ')}`;
};

const answerOf = (outcome: Outcome): object =>
  'refused' in outcome
    ? { ...problem(outcome.refused), ...askedOf(outcome.stepUp), ...(outcome.receipt ? { receipt: outcome.receipt } : {}) }
    : { status: 202, receipt: outcome.receipt };

/** Reports of a service that may be refused in a minute: each leaves a trace, and the journal is everybody's. Then none is read for a minute. */
const REFUSED_A_MINUTE = 1_000;

/** `POST /api/v1/actions` (protocol.md, "Report"). */
export const actionsApi =
  (site: Site) =>
  async (app: FastifyInstance): Promise<void> => {
    const mayBeRefused = createTries(site.clock, REFUSED_A_MINUTE);
    const closed = new Map<string, number>();
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      ['application/cloudevents+json', 'application/cloudevents-batch+json'],
      { parseAs: 'string', bodyLimit: MOST_BYTES },
      (_request, body, done) => {
        try {
          done(null, JSON.parse(String(body)) as unknown);
        } catch {
          done(Object.assign(new Error('not JSON'), { statusCode: 400 }), undefined);
        }
      },
    );

    const bearer = (request: FastifyRequest) => {
      const { authorization, dpop } = request.headers;
      return site.provider.bearer({
        authorization,
        dpop: typeof dpop === 'string' ? dpop : undefined,
        method: 'POST',
        url: `${site.publicUrl}/api/v1/actions`,
      });
    };

    app.post('/api/v1/actions', async (request, reply) => {
      const token = await bearer(request);
      if ('refused' in token || !(token.found?.delegated || token.scopes.includes(ACTIONS_SCOPE))) {
        site.notice({ code: 'api_token_refused' });
        return refuseToken(reply, request.headers.authorization, 'refused' in token ? token : undefined, ACTIONS_SCOPE);
      }
      if ((closed.get(token.clientId) ?? 0) > site.clock.now().getTime()) {
        site.notice({ code: 'api_too_many_requests', service: token.clientId });
        return sendProblem(reply.header('retry-after', '60'), 'too_many_requests');
      }
      const batch = String(request.headers['content-type']).startsWith('application/cloudevents-batch+json');
      const raw = batch ? request.body : [request.body];
      if (!Array.isArray(raw) || raw.length === 0) {
        site.notice({ code: 'api_invalid_request', service: token.clientId });
        return sendProblem(reply, 'invalid_request', batch ? 'a batch is a JSON array of events' : undefined);
      }
      if (raw.length > MOST_EVENTS) {
        site.notice({ code: 'api_too_large', service: token.clientId });
        return sendProblem(reply, 'too_large');
      }
      const events: ActionEvent[] = [];
      for (const [i, value] of raw.entries()) {
        const event = readEvent(value);
        if ('fault' in event) {
          site.notice({ code: 'api_event_malformed', service: token.clientId });
          return reply
            .code(400)
            .type('application/problem+json')
            .send(JSON.stringify({ ...problem('malformed', batch ? `event ${i}: ${event.detail}` : event.detail), status: 400 }));
        }
        events.push(event);
      }
      // A delegated token speaks of its own session only (claims P13, J11).
      const own = token.found?.delegated?.id;
      const checked = own === undefined ? events : events.filter((event) => event.session === own);
      if (checked.length < events.length) site.notice({ code: 'api_session_unknown', service: token.clientId });
      const reported = checked.length ? await site.actions.report(token.clientId, checked) : [];
      let at = 0;
      const outcomes = events.map(
        (event): Outcome =>
          own === undefined || event.session === own ? (reported[at++] as Outcome) : { refused: 'session_unknown' satisfies ActionRefusal },
      );
      for (const outcome of reported)
        if ('refused' in outcome && !outcome.receipt && outcome.refused !== 'journal_unavailable' && !mayBeRefused(token.clientId))
          closed.set(token.clientId, site.clock.now().getTime() + 60_000);
      const stepUp = challenge(String(request.headers.authorization).toLowerCase().startsWith('dpop') ? 'DPoP' : 'Bearer', outcomes);
      if (stepUp) reply.header('www-authenticate', stepUp);
      if (batch) return reply.code(outcomes.every((outcome) => !('refused' in outcome)) ? 202 : 207).send({ events: outcomes.map(answerOf) });
      const [only] = outcomes;
      if (!only || 'refused' in only) {
        const code = only && 'refused' in only ? only.refused : 'unexpected';
        return reply
          .code(statusOf(code))
          .type('application/problem+json')
          .send(JSON.stringify(only ? answerOf(only) : problem(code)));
      }
      return reply.code(202).send(only.receipt);
    });
  };
