import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { isDelegatedAccount } from '../delegation/session.ts';
import { seconds } from '../kernel/clock.ts';
import { equal, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { isId } from '../kernel/ids.ts';
import { askedBy, refusedWith } from '../services/requests.ts';
import { secretHash } from '../services/service.ts';
import { isRedemptionPending } from './adapter.ts';
import { allowFormTo } from './form-action.ts';
import type { ProviderParts } from './parts.ts';
import { recordRefusals } from './refusals.ts';

const NOTICES = [
  'authorization.error',
  'grant.error',
  'pushed_authorization_request.error',
  'introspection.error',
  'revocation.error',
  'userinfo.error',
  'end_session.error',
  'jwks.error',
  'discovery.error',
  'server_error',
] as const;

/**
 * The library's own pages that post by themselves need a script, which our policy forbids. Signing out with nobody signed in has nothing to ask: the
 * browser goes where it was to go. An answer to be posted to the service waits for the person's gesture. A resume that met another account's session ends there: the person starts again from the service.
 */
const withoutScripts = (provider: Provider, parts: ProviderParts): void => {
  provider.use(async (ctx, next) => {
    await next();
    const { oidc } = ctx as KoaContextWithOIDC;
    if (typeof ctx.body !== 'string' || !ctx.body.includes('<title>Submitting Callback</title>')) return;
    if (oidc.route === 'end_session') {
      // The hint is signed by us and held by the service: the session it names ends even when this browser has forgotten it.
      const hinted = (oidc.entities.IdTokenHint as { payload?: { sid?: unknown } } | undefined)?.payload?.sid;
      if (isId('dls', hinted)) await parts.endSession(hinted);
      const { postLogoutRedirectUri, state } = (oidc.session?.state ?? {}) as { postLogoutRedirectUri?: string; state?: string };
      const to = new URL(postLogoutRedirectUri ?? oidc.urlFor('end_session_success'));
      if (postLogoutRedirectUri && state !== undefined) to.searchParams.set('state', state);
      ctx.status = 303;
      ctx.redirect(to.href);
      return;
    }
    const [, action = '', inputs = ''] = /<form method="post" action="([^"]*)">(.*?)<noscript>/s.exec(ctx.body) ?? [];
    const callback = oidc.params?.['redirect_uri'];
    if (typeof callback === 'string' && oidc.params?.['response_mode'] === 'form_post' && action !== oidc.urlFor('end_session_confirm')) {
      allowFormTo(ctx as KoaContextWithOIDC, [callback]);
      ctx.status = 200;
      ctx.body = await parts.pages.callback(`<form id="op.callbackForm" method="post" action="${action}">${inputs}</form>`);
      return;
    }
    ctx.status = 400;
    ctx.body = await parts.pages.error({ error: 'invalid_request', description: undefined, known: false });
  });
};

/** The places where the library's own behaviour is replaced. */
export const adjust = (provider: Provider, parts: ProviderParts): void => {
  withoutScripts(provider, parts);
  recordRefusals(provider, parts.services, parts.refused);
  provider.use(async (ctx, next) => {
    await next();
    askedBy((ctx as KoaContextWithOIDC).oidc?.entities.Client?.clientId);
    refusedWith((ctx.body as { error?: unknown } | undefined)?.error);
  });
  provider.use(async (ctx, next) => {
    await next();
    // A code is used up by the write of its token: an answer without that write would leave it alive.
    if (isRedemptionPending() && ctx.status < 400) throw new Failure('code_not_redeemed', 'a token was given that was not written');
  });
  provider.ReplayDetection.unique = async (issuer, jti, exp) =>
    parts.store.unique(sha256(`op\0${issuer}\0${jti}`), new Date((exp ?? seconds(parts.clock.now()) + 300) * 1000), parts.clock.now());
  const { prototype } = provider.Client as unknown as {
    prototype: {
      clientId: string;
      clientSecret: string;
      relais_former_secret?: string;
      compareClientSecret(actual: string): boolean;
      backchannelLogout(account: string, sid: string): Promise<void>;
    };
  };
  prototype.compareClientSecret = function compare(actual) {
    // The table keeps the secret's hash in the secret's place. Both are compared, whichever it is and whether there is a former one.
    const given = secretHash(actual);
    const [now, former] = [equal(this.clientSecret, given), equal(this.relais_former_secret ?? '0'.repeat(64), given)];
    return now || former;
  };
  prototype.backchannelLogout = async function logout(account, sid) {
    if (!isDelegatedAccount(account)) await parts.tellLogout(this.clientId, { sub: account, sid }); // a delegated session's notice goes with its end
  };
  for (const event of NOTICES)
    provider.on(event as never, (ctx: KoaContextWithOIDC, error: Error & { error?: string; error_detail?: string }) => {
      const code = error.error ?? 'server_error';
      refusedWith(code);
      // Whoever ended the interaction has written why in the journal: one refusal, one trace.
      if ((ctx.oidc?.entities.Interaction?.result as { error?: unknown } | undefined)?.error === code && event === 'authorization.error') return;
      parts.notice({
        code: `oauth_${code}`,
        service: ctx.oidc?.entities.Client?.clientId,
        detail: error.error_detail ?? error.message,
        ...(event === 'server_error' || code === 'temporarily_unavailable' ? { fault: error.cause ?? error } : {}),
      });
    });
};
