import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { Bed } from './bed.ts';
import { Connection } from './client.ts';
import { basic, type Party, signIn } from './flow.ts';
import { percentile } from './measure.ts';
import type { Figure } from './parts.ts';
import { API } from './relying.ts';

const LISTENERS = 200;
const PROCESSES = 4;
const DEAF = 10;
const PATIENCE_MS = 65_000;

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** One stop of a mandate on which 210 services rely, ten of them deaf: when the others knew, and until when anything was still accepted. */
export const revocation = async (bed: Bed): Promise<Figure[]> => {
  const { server, party } = await bed.relais();
  const processes = await Promise.all(
    Array.from({ length: PROCESSES }, () => bed.start('server-listeners.ts', { listeners: LISTENERS / PROCESSES, deaf: false })),
  );
  const deaf = await bed.start('server-listeners.ts', { listeners: DEAF, deaf: true });
  const addresses = (await Promise.all([...processes, deaf].map((each) => each.call<string[]>('origins')))).flat();
  const [asks, verifies] = await server.call<{ secret: string; cookie: string; hint: string }[]>('rely', { addresses });
  if (!asks || !verifies) throw new Error('two services were to be registered');
  await bed.analyse();
  const line = new Connection(server.origin);
  const asking: Party = { ...party, clientId: 'bench-asks', secret: asks.secret };
  const verifying: Party = { ...party, clientId: 'bench-verifies', secret: verifies.secret, resource: API };
  const { accessToken } = await signIn(line, asking, asks);
  const signed = (await signIn(line, verifying, verifies)).accessToken;
  const keys = createRemoteJWKSet(new URL(`${server.origin}/oidc/jwks`));

  let stopped = false;
  const accepted = { introspected: 0, verified: 0 };
  const introspects = async (): Promise<void> => {
    while (!stopped) {
      const at = Date.now();
      const answer = await line.ask({
        method: 'POST',
        path: '/oidc/introspection',
        headers: { authorization: basic(asking), 'content-type': 'application/x-www-form-urlencoded' },
        body: `token=${accessToken}`,
      });
      if (!answer.body.includes('"active":true')) return;
      accepted.introspected = at; // asked then: an answer that was on its way may come later
    }
  };
  const checks = async (): Promise<void> => {
    while (!stopped) {
      const at = Date.now();
      const holds = await jwtVerify(signed, keys, { audience: API, typ: 'at+jwt' }).then(
        () => true,
        () => false,
      );
      if (!holds) return;
      accepted.verified = at;
      await pause(20);
    }
  };
  const loops = [introspects(), checks()];
  await pause(1000);
  const committed = await server.call<number>('revoke');
  let told: (number | null)[] = [];
  for (const end = Date.now() + 15_000; Date.now() < end; await pause(100)) {
    told = await server.call<(number | null)[]>('told');
    if (told.filter((at) => at !== null).length >= LISTENERS + 2) break;
  }
  await Promise.race([Promise.all(loops), pause(PATIENCE_MS)]);
  stopped = true;
  await Promise.all(loops);
  line.close();
  const delays = told.flatMap((at) => (at === null ? [] : [at - committed]));
  const last = (at: number): number => Math.max(0, at - committed);
  console.log(`\nrevocation of a mandate on which ${LISTENERS + DEAF + 2} services rely, ${DEAF} of them deaf`);
  console.log(`  acknowledged      ${delays.length} of ${LISTENERS + 2} that listen; the last after ${Math.max(...delays)} ms`);
  console.log(`  commit → known    p50 ${percentile(delays, 0.5)} ms, p99 ${percentile(delays, 0.99)} ms`);
  console.log(
    `  last accepted     ${last(accepted.introspected)} ms after the commit by introspection, ${last(accepted.verified)} ms by signature alone`,
  );
  return [
    { key: 'R1', what: 'services that listen and acknowledged', value: delays.length, target: { atLeast: LISTENERS + 2 } },
    { key: 'R2_p50', what: 'commit → acknowledged, ms, p50', value: percentile(delays, 0.5) },
    { key: 'R2_p99', what: 'commit → acknowledged, ms, p99', value: percentile(delays, 0.99), target: { atMost: 1000 } },
    { key: 'R3', what: 'introspection: last accepted after the commit, ms', value: last(accepted.introspected), target: { atMost: 0 } },
    { key: 'R4', what: 'signed token: last accepted after the commit, ms', value: last(accepted.verified), target: { atMost: 60_000 } },
  ];
};
