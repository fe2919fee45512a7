import { AS_FLAGS, EXIT, type HouseCommand, JSON_FLAG, table } from './command.ts';
import { giveErasure } from './erase.ts';
import { giveRotation } from './journal-keys.ts';
import { refuse } from './refusals.ts';
import { approveService } from './services.ts';

const list: HouseCommand = {
  name: 'approvals list',
  where: 'house',
  summary: 'list what waits for a second opérateur',
  flags: [JSON_FLAG],
  run: async (input, context, io) => {
    const found = (await (await context.domain()).approvals.list()).map((it) => ({ ...it, hash: it.hash.toString('hex') }));
    const rows = found.map((it) => [it.id, it.kind, it.subject, it.askedBy, it.askedAt.toISOString(), it.hash.slice(0, 16)]);
    io.out(input.on('json') ? JSON.stringify(found) : table(['id', 'kind', 'of', 'asked by', 'at', 'fingerprint'], rows, 'nothing waits'));
    return EXIT.done;
  },
};

const approve: HouseCommand = {
  name: 'approvals approve',
  where: 'house',
  summary: 'approve what waits, as a second opérateur',
  subject: { name: 'ID', help: 'id of the approval' },
  flags: [...AS_FLAGS, JSON_FLAG],
  run: async (input, context, io) => {
    const approval = await (await context.domain()).approvals.find(input.subject);
    if (!approval) return refuse(io, { refused: 'unknown_approval' }, input.on('json'));
    if (approval.kind === 'erasure') return giveErasure(approval, input, context, io);
    if (approval.kind === 'key-rotation') return giveRotation(approval, input, context, io);
    if (approval.approvedBy !== undefined) return refuse(io, { refused: 'already_approved' }, input.on('json'));
    if (approval.kind === 'journal-export') return refuse(io, { refused: 'approved_by_agent' }, input.on('json'));
    if (approval.kind === 'identity') return refuse(io, { refused: 'approved_once_read' }, input.on('json'));
    if (approval.kind === 'mandate-import') return refuse(io, { refused: 'approved_with_file' }, input.on('json'));
    return approveService(approval.subject, input, context, io, approval.id);
  },
};

export const approvalCommands: readonly HouseCommand[] = [list, approve];
