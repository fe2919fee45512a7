import type { CodeRefusal } from '../aidants/means.ts';
import { isId, type OperateurId } from '../kernel/ids.ts';
import type { Input, Io } from './command.ts';
import type { Domain } from './context.ts';

export type OperateurRefusal = { readonly refused: 'no_operateur' | 'unknown_operateur' | 'no_code' } | CodeRefusal;

/** Finds the opérateur whom `--as` names, by id or by e-mail address if only one has it. No proof yet. */
export const findOperateur = async (input: Input, domain: Domain): Promise<OperateurId | OperateurRefusal> => {
  const as = input.text('as');
  if (as === undefined) return { refused: 'no_operateur' };
  const found = isId('opr', as) ? [as] : (await domain.aidants.findByEmail('operateur', as)).map((staff) => staff.id);
  const [id, ...others] = found;
  if (id === undefined || !isId('opr', id) || others.length) return { refused: 'unknown_operateur' };
  return 'refused' in (await domain.aidants.standing(id)) ? { refused: 'unknown_operateur' } : id;
};

/** The code given with `--code`, or typed when asked. */
export const codeOf = async (input: Input, io: Io): Promise<string | undefined> => input.text('code') ?? (await io.ask('One-time code: '));

/** Finds the opérateur and proves their second factor: the id under which the decision is written, or why not. */
export const proveOperateur = async (input: Input, domain: Domain, io: Io): Promise<OperateurId | OperateurRefusal> => {
  const id = await findOperateur(input, domain);
  if (typeof id !== 'string') return id;
  const code = await codeOf(input, io);
  if (code === undefined) return { refused: 'no_code' };
  const answer = await domain.means.verifyCode(id, code, 'command');
  return 'refused' in answer ? answer : id;
};

/** Who decides: the opérateur of `--as`, proved; otherwise `cli`, that is whoever may run commands on this machine. */
export const actorOf = (input: Input, domain: Domain, io: Io): Promise<string | OperateurRefusal> =>
  input.text('as') === undefined ? Promise.resolve('cli') : proveOperateur(input, domain, io);
