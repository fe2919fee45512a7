import type { PeriodClass } from './keys.ts';

/** Where the keys of sealed parts are destroyed: the only right of the role `relais_eraser` over the key store. */
export interface KeyEraser {
  /** Destroys the keys of persons, where they are there. */
  persons(ids: readonly string[]): Promise<void>;
  /** Of these persons, those whose key is there. */
  there(ids: readonly string[]): Promise<string[]>;
  period(boxClass: PeriodClass, period: string): Promise<void>;
  /** Every key of a class and month, or of a day of the queue, that was made; `there`: it is not destroyed. */
  periods(): Promise<readonly { readonly class: PeriodClass; readonly period: string; readonly there: boolean }[]>;
}
