import type { KoaContextWithOIDC } from 'oidc-provider';

/** Lets the forms of this page be posted to these addresses, or send the browser on to them (CSP `form-action` follows redirects). */
export const allowFormTo = (ctx: KoaContextWithOIDC, addresses: readonly string[]): void => {
  const policy = String(ctx.response.get('content-security-policy') || ctx.res.getHeader('content-security-policy') || '');
  const origins = new Set(addresses.map((address) => new URL(address).origin));
  ctx.set('content-security-policy', policy.replace("form-action 'self'", ["form-action 'self'", ...origins].join(' ')));
};
