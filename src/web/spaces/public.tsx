import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { ASSETS } from '../assets/assets.ts';
import type { Kit } from '../kit.tsx';
import { HowVerifiedPage } from '../views/evidence.tsx';
import { HomePage } from '../views/home.tsx';
import { InfoPage } from '../views/leaving.tsx';
import { PATHS } from '../views/paths.ts';

/** What anybody may read: the home page, the pages of the footer, the assets, the health of the process. */
export const publicPages =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;

    for (const asset of ASSETS) {
      const content = readFileSync(asset.file);
      app.get(asset.path, (_request, reply) => reply.type(asset.type).header('cache-control', 'public, max-age=31536000, immutable').send(content));
    }

    app.get('/', (request, reply) =>
      kit.page(
        reply,
        <HomePage
          frame={kit.frame(request)}
          doors={{
            usager: '/connexion/franceconnect',
            aidant: '/connexion/proconnect?vers=/aidant',
            administration: '/connexion/proconnect?vers=/administration',
          }}
        />,
      ),
    );
    app.get(PATHS.accessibility, (request, reply) => kit.page(reply, <InfoPage frame={kit.frame(request)} page="accessibility" />));
    app.get(PATHS.personalData, (request, reply) => kit.page(reply, <InfoPage frame={kit.frame(request)} page="personalData" />));
    app.get(PATHS.howVerified, (request, reply) => kit.page(reply, <HowVerifiedPage frame={kit.frame(request)} />));
    app.get(PATHS.verify, async (request, reply) => {
      const checkpoint = await site.checkpoint();
      return kit.page(reply, <InfoPage frame={kit.frame(request)} page="verify" {...(checkpoint ? { checkpointNote: checkpoint.note } : {})} />);
    });

    app.get('/health/live', (_request, reply) => reply.send({ live: true }));
    app.get('/health/ready', async (_request, reply) => {
      const health = await site.health();
      return reply.code(health.ready ? 200 : 503).send(health);
    });
  };
