import { join } from 'node:path';
import { playProgram } from '../support/integration.ts';

playProgram({
  name: 'express-openid-connect',
  // It takes an ID token that came from the token endpoint at its word, as OpenID Connect Core §3.1.3.7 allows over TLS.
  fails: ['id-token-key'],
  start: ({ env, run }) => run(process.execPath, [join(import.meta.dirname, 'express.mjs')], { env, port: Number(env['PORT']) }),
});
