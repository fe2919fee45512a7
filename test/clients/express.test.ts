import { join } from 'node:path';
import { playProgram } from '../support/integration.ts';

playProgram({
  name: 'express-openid-connect',
  start: ({ env, run }) => run(process.execPath, [join(import.meta.dirname, 'express.mjs')], { env, port: Number(env['PORT']) }),
});
