import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playProgram, printed, ROOT } from '../support/integration.ts';

playProgram({
  name: 'openid-client',
  start: async ({ env, folder, run }) => {
    writeFileSync(join(folder, 'service.mjs'), printed('js'));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await run(process.execPath, ['service.mjs'], { env, port: Number(env['PORT']) });
  },
});
