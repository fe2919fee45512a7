import { isId } from '../kernel/ids.ts';
import { declareProfessionalNumber } from '../persistence/channels.ts';
import { readPhone } from '../usagers/phone.ts';
import { AS_FLAGS, EXIT, type HouseCommand, JSON_FLAG } from './command.ts';
import { actorOf } from './operateur.ts';
import { refuse } from './refusals.ts';

/** Numbers of structures and of people who work there: they can carry nobody's consent (product.md, "Independent channel"; claim M11). */
const add: HouseCommand = {
  name: 'number add',
  where: 'house',
  summary: "note that a mobile number belongs to an organisation or an aidant: it can carry nobody's consent",
  subject: { name: 'HOLDER', help: 'the id of the organisation or of the aidant' },
  flags: [{ name: 'phone', kind: 'text', value: 'NUMBER', help: 'a French mobile number', required: true }, ...AS_FLAGS, JSON_FLAG],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const { subject: holder } = input;
    const organisation = isId('org', holder) ? await domain.organisations.find(holder) : undefined;
    const aidant = isId('aid', holder) ? await domain.aidants.standing(holder) : { refused: 'unknown_aidant' };
    if (!organisation && 'refused' in aidant) return refuse(io, { refused: 'unknown_aidant' }, input.on('json'));
    const read = readPhone(input.must('phone'));
    if ('refused' in read) return refuse(io, read, input.on('json'));
    await context.database.run(async (tx) => {
      await declareProfessionalNumber(tx, read.phone, holder, context.clock.now());
      await domain.journal.record(tx, { type: 'number.declared', actor, detail: { holder } });
    });
    io.out(input.on('json') ? JSON.stringify({ holder }) : `The number is noted as one of ${holder}.`);
    return EXIT.done;
  },
};

export const numberCommands: readonly HouseCommand[] = [add];
