import { differences } from '../services/revision.ts';
import { asInput, overlap, readUntil } from '../services/rotation.ts';
import { registrationHash } from '../services/service.ts';
import { AS_FLAGS, EXIT, type HouseCommand, JSON_FLAG } from './command.ts';
import { proveOperateur } from './operateur.ts';
import { refuse } from './refusals.ts';
import { differenceLines, tell } from './services.ts';

const diff: HouseCommand = {
  name: 'service diff',
  where: 'house',
  summary: 'show what waits for a second opérateur against what is in force, or a former revision against the one before it',
  subject: { name: 'ID', help: 'client_id of the service' },
  flags: [{ name: 'revision', kind: 'text', value: 'NUMBER', help: 'this revision, instead of the one that waits' }, JSON_FLAG],
  run: async (input, context, io) => {
    const { services } = await context.domain();
    const all = await services.revisions(input.subject);
    if (!all.length) return refuse(io, { refused: 'unknown_service' }, input.on('json'));
    const asked = input.text('revision');
    const shown = asked === undefined ? all.find(({ state }) => state === 'waiting') : all.find(({ number }) => String(number) === asked);
    if (!shown) return refuse(io, { refused: asked === undefined ? 'nothing_to_approve' : 'unknown_revision' }, input.on('json'));
    const before = all.find(({ state, number }) => state === 'approved' && number < shown.number);
    const found = differences(before?.registration, shown.registration);
    const fingerprint = registrationHash(shown.registration).toString('hex');
    if (input.on('json')) {
      io.out(
        JSON.stringify({
          id: input.subject,
          revision: shown.number,
          state: shown.state,
          against: before?.number,
          differences: found,
          hash: fingerprint,
        }),
      );
      return EXIT.done;
    }
    io.out(
      `Revision ${shown.number} of ${input.subject} (${shown.state}), asked by ${shown.askedBy}, against ${before ? `revision ${before.number}` : 'nothing'}:`,
    );
    for (const line of differenceLines(found)) io.out(line);
    io.out(`  fingerprint  ${fingerprint}`);
    return EXIT.done;
  },
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const isKeys = (value: unknown): value is { keys: object[] } =>
  typeof value === 'object' &&
  value !== null &&
  'keys' in value &&
  Array.isArray(value.keys) &&
  value.keys.every((key) => typeof key === 'object' && key);

const keys: HouseCommand = {
  name: 'service keys',
  where: 'house',
  summary: 'give a service other keys, the former ones standing beside them until a date; another opérateur approves',
  subject: { name: 'ID', help: 'client_id of the service' },
  flags: [
    { name: 'jwks', kind: 'text', value: 'FILE', help: 'its next public keys', required: true },
    { name: 'until', kind: 'text', value: 'DATE', help: 'from when on the former keys are refused', required: true },
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const no = (refused: string): number => refuse(io, { refused }, input.on('json'));
    const service = await domain.services.find(input.subject);
    if (!service) return no('unknown_service');
    if (!service.jwks) return no('keys_unused');
    const next = parse(await io.read(input.must('jwks')));
    if (!isKeys(next)) return no('file_malformed');
    const now = context.clock.now();
    const until = readUntil(input.must('until'), now);
    if (!until) return no('until_malformed');
    const jwks = overlap(service.jwks, next, until, now);
    if (jwks.keys.length > 10) return no('too_many_keys');
    const askedBy = await proveOperateur(input, domain, io);
    if (typeof askedBy !== 'string') return refuse(io, askedBy, input.on('json'));
    const made = await domain.services.change({ ...asInput(service), jwks }, { askedBy });
    return 'refused' in made ? refuse(io, made, input.on('json')) : tell(made, input, context, io);
  },
};

const secret: HouseCommand = {
  name: 'service secret',
  where: 'house',
  summary: 'draw another secret, the former one standing beside it until a date once another opérateur approves; or end the former one at once',
  subject: { name: 'ID', help: 'client_id of the service' },
  flags: [
    { name: 'until', kind: 'text', value: 'DATE', help: 'from when on the former secret is refused' },
    { name: 'end-former', kind: 'switch', help: 'refuses the former secret from now on; one opérateur is enough' },
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const no = (refused: string): number => refuse(io, { refused }, input.on('json'));
    const service = await domain.services.find(input.subject);
    if (!service) return no('unknown_service');
    if (service.clientSecretHash === undefined) return no('secret_unused');
    const ends = input.on('end-former');
    const formerUntil = ends ? undefined : readUntil(input.text('until') ?? '', context.clock.now());
    if (!ends && !formerUntil) return no('until_malformed');
    const by = await proveOperateur(input, domain, io);
    if (typeof by !== 'string') return refuse(io, by, input.on('json'));
    if (formerUntil) {
      const made = await domain.services.change(asInput(service), { askedBy: by, newSecret: true, formerUntil });
      return 'refused' in made ? refuse(io, made, input.on('json')) : tell(made, input, context, io);
    }
    const done = await domain.services.endSecret(service.id, by);
    if ('refused' in done) return refuse(io, done, input.on('json'));
    io.out(
      input.on('json') ? JSON.stringify({ id: service.id, formerSecret: 'ended' }) : `The former secret of ${service.name} is refused from now on.`,
    );
    return EXIT.done;
  },
};

export const serviceChangeCommands: readonly HouseCommand[] = [diff, keys, secret];
