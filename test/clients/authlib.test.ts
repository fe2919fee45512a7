import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playProgram, printed } from '../support/integration.ts';

playProgram({
  name: 'Authlib',
  start: async ({ env, folder, run }) => {
    writeFileSync(join(folder, 'service.py'), printed('python'));
    // Debian's own, which sees Debian's packages.
    await run('/usr/bin/python3', ['service.py'], { env, port: Number(env['PORT']) });
  },
});
