import { passFranceConnect, signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { authorize, delegatedTokens, mandateByPages, signedInAidant, type TestService, type World } from './world.ts';

/** One route, with who asks for it and what a form would send. */
export interface Target {
  readonly walker: Walker;
  readonly path: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface Stage {
  /** Puts what stands in this world in the place of a route's parameters. */
  target(route: string): Target;
  readonly aidant: Walker;
  readonly usager: Walker;
  readonly agent: Walker;
  readonly service: TestService;
  readonly tokens: Awaited<ReturnType<typeof delegatedTokens>>['tokens'];
}

/** Somebody in the middle of everything, so that each form would change something if it were obeyed. */
export const stage = async (world: World): Promise<Stage> => {
  const aidant = await signedInAidant(world);
  const mandate = await mandateByPages(world, aidant, 'colette', ['logement', 'famille']);
  const service = await world.service('faux-formulaires');
  const { claims, tokens } = await delegatedTokens(world, aidant, service, 'Colette Martin');
  const session = String((claims?.['authorization_details'] as { session: string }[] | undefined)?.[0]?.session);
  const usager = new Walker();
  await signInUsager(usager, world.places, 'colette');
  const entry = /usager\/entrees\/(\d+)/.exec(usager.page?.html ?? '')?.[1] ?? '';
  const agent = await signedInAidant(world, 'nora', 'Nora Lefèvre');
  const integrator = await signedInAidant(world, 'sofia', 'Sofia Marchand');
  await aidant.open(`${world.places.relais}/aidant/mandats/nouveau`);
  await aidant.send('mandate-themes', { themes: ['famille'] });
  const draft = (await aidant.send('mandate-days', { days: '31' })).url.pathname.split('/').at(-1) ?? '';
  const consented = await passFranceConnect(aidant, await aidant.send('mandate-consent'), 'jean');
  const textHash = /name="text_hash" value="([^"]+)"/.exec(consented.html)?.[1] ?? '';
  const request = await authorize(service, 'openid dlg:logement');
  const uid = (await aidant.open(request.url)).url.pathname.split('/').at(-1) ?? '';
  const [lea] = await world.app.aidants.findByEmail('aidant', 'lea@demonstration.example');
  const invited = await world.app.aidants.reinvite(lea?.id ?? '');
  const token = 'token' in invited ? invited.token : '';
  const [camille] = await world.app.aidants.findByEmail('aidant', 'courriel@demonstration.example');
  const lost = camille ? await world.app.site.transactions.run((tx) => world.app.site.losses.linkFor(tx, camille.id)) : '';
  const organisation = String((await world.sql('select organisation_id from mandate where id = $1', [mandate]))[0]?.['organisation_id']);
  const paper = String((await world.sql('select code from attestation where mandate_id = $1', [mandate]))[0]?.['code']);
  const code = await world.code(world.places, 'Karim Benali');
  const fields = {
    themes: 'famille',
    days: '31',
    said_aloud: 'yes',
    text_hash: textHash,
    code,
    person: mandate,
    theme: 'logement',
    organisation,
    reason: 'Vérification demandée par la personne',
  };
  const target = (route: string): Target => {
    const integrated = route.startsWith('/administration/sites');
    const id = integrated
      ? service.id
      : route.startsWith('/aidant/sessions')
        ? session
        : route.includes('brouillon')
          ? draft
          : route.includes('entrees')
            ? entry
            : mandate;
    const path = route
      .replace(':id', id)
      .replace(':ref', 'M-0000-0000')
      .replace(':mandate', mandate)
      .replace(':service', service.id)
      .replace(':uid', uid)
      .replace(':token', route.includes('perdu') ? lost : token)
      .replace(':code', paper)
      .replace(':index', entry);
    const agents = integrated ? integrator : agent;
    const walker = route.startsWith('/usager') ? usager : route.startsWith('/administration') ? agents : aidant;
    return { walker, path, fields };
  };
  return { target, aidant, usager, agent, service, tokens };
};
