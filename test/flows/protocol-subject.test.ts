import { before } from 'node:test';
import { passFranceConnect } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import {
  actFor,
  authorize,
  delegatedTokens,
  entriesOf,
  mandateByPages,
  redeem,
  signedInAidant,
  type TestService,
  type World,
} from '../support/world.ts';

inEachWorld((it) => {
  let world: World;
  let aidant: Walker;
  let service: TestService;
  let colette = '';
  before(async () => {
    world = it.world();
    aidant = await signedInAidant(world);
    await mandateByPages(world, aidant, 'colette', ['logement']);
    service = await world.service('sujet');
    colette = (await delegatedTokens(world, aidant, service, 'Colette Martin')).claims?.sub ?? '';
  });

  const insisting = (sub: string): Readonly<Record<string, string>> => ({ claims: JSON.stringify({ id_token: { sub: { value: sub } } }) });

  test(`P24 a request that insists on another person opens nothing, and the service is told (${it.kind})`, { database: it.kind }, async () => {
    const opened = await entriesOf(world, 'session.opened');
    const refused = await entriesOf(world, 'session.refused');
    const request = await authorize(service, 'openid dlg:logement', insisting(colette));
    const answer = await actFor(aidant, service, request, 'Jean Petit');
    assert.equal(answer.url.searchParams.get('error'), 'login_required');
    assert.equal(answer.url.searchParams.get('state'), request.state);
    assert.equal(answer.url.searchParams.get('iss'), world.app.site.issuer);
    assert.equal(await entriesOf(world, 'session.opened'), opened, 'no session was opened');
    assert.equal(await entriesOf(world, 'session.refused'), refused + 1, 'the refusal is one entry');
  });

  test(`P24 a request that insists on the person who is chosen is answered (${it.kind})`, { database: it.kind }, async () => {
    const request = await authorize(service, 'openid dlg:logement', insisting(colette));
    const tokens = await redeem(service, request, (await actFor(aidant, service, request, 'Colette Martin')).url);
    assert.equal(tokens.claims()?.sub, colette);
  });

  test(`P24 a person who signs in alone is not taken for the one that was asked for (${it.kind})`, { database: it.kind }, async () => {
    const request = await authorize(service, 'openid', insisting(colette));
    const alone = new Walker();
    const answer = await passFranceConnect(alone, await alone.open(request.url), 'jean', service.redirectUri);
    assert.equal(answer.url.searchParams.get('error'), 'login_required');
  });
});
