import { join } from 'node:path';
import { exportJWK } from 'jose';
import { playProgram } from '../support/integration.ts';
import { makeKeys } from '../support/protocol.ts';

const { privateKey, jwk } = await makeKeys();
const CLIENT_KEY = JSON.stringify({ ...(await exportJWK(privateKey)), kid: jwk.kid });

playProgram({
  name: 'oauth4webapi',
  jwk,
  start: ({ env, run }) =>
    run(process.execPath, [join(import.meta.dirname, 'oauth4webapi.mjs')], { env: { ...env, CLIENT_KEY }, port: Number(env['PORT']) }),
});
