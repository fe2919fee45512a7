import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { playProgram, printed } from '../support/integration.ts';

/** What Debian's own configuration says before the printed part, reduced to what that part needs; no file of the machine is read or changed. */
const around = (folder: string): string => `
ServerRoot /usr/lib/apache2
DefaultRuntimeDir ${folder}/run
PidFile ${folder}/run/apache.pid
Mutex file:${folder}/run
ErrorLog ${folder}/error.log
User www-data
Group www-data
${['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'auth_openidc', 'headers', 'proxy', 'proxy_http']
  .map((name) => `LoadModule ${name}_module modules/mod_${name}.so`)
  .join('\n')}
# As a browser says of a page that somebody opens; the one of these tests cannot.
RequestHeader set Sec-Fetch-Mode navigate early
`;

playProgram({
  name: 'mod_auth_openidc',
  // Of the code flow it takes an ID token without signature, whatever algorithm it was told.
  fails: ['id-token-alg-none'],
  backChannel: '/retour?logout=backchannel',
  start: async ({ env, folder, freePort, run }) => {
    for (const each of [dirname(folder), folder]) chmodSync(each, 0o755); // started by root, it serves as www-data
    mkdirSync(join(folder, 'run'));
    chmodSync(join(folder, 'run'), 0o777);
    writeFileSync(join(folder, 'service.php'), printed('php'));
    writeFileSync(join(folder, 'apache.conf'), `${around(folder)}${printed('apache')}`);
    const behind = await freePort();
    await run('/usr/bin/php', ['-S', `localhost:${behind}`, 'service.php'], { env: { ...env, ACTS: join(folder, 'acts') }, port: behind });
    await run('/usr/sbin/apache2', ['-f', join(folder, 'apache.conf'), '-DFOREGROUND'], {
      env: { ...env, BEHIND: String(behind), PASSPHRASE: 'a-passphrase-of-the-tests' },
      port: Number(env['PORT']),
    });
  },
});
