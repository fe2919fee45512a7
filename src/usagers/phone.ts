export type PhoneRefusal = 'phone_invalid' | 'phone_premium' | 'phone_foreign' | 'phone_not_mobile';

/** Mobile numbers of the overseas départements have country codes of their own; people dial them as 06. 06 39 98 is kept for fiction (ARCEP). */
const OVERSEAS: readonly (readonly [RegExp, string])[] = [
  [/^0(690|691)/, '+590'],
  [/^0694/, '+594'],
  [/^0(696|697)/, '+596'],
  [/^0(692|693)/, '+262'],
  [/^0639(?!98)/, '+262'],
];
const MOBILE = [/^\+33[67]\d{8}$/, /^\+590(690|691)\d{6}$/, /^\+594694\d{6}$/, /^\+596(696|697)\d{6}$/, /^\+262(692|693|639)\d{6}$/];
const COUNTRIES = /^\+(33|590|594|596|262)/;

/**
 * Reads a French mobile number as people write it (`06 39 98 00 01`, `+33 6…`, `0033 6…`) into E.164. Anything that could cost us or reach somewhere
 * else is refused: premium (08, short codes, machine ranges 07 00) and foreign numbers (claim D7).
 */
export const readPhone = (text: string): { phone: string } | { refused: PhoneRefusal } => {
  if (text.length > 40) return { refused: 'phone_invalid' };
  const kept = text.replace(/[\s.()/-]/g, '').replace(/^00/, '+');
  if (!/^\+?\d{3,15}$/.test(kept)) return { refused: 'phone_invalid' };
  const national = kept.startsWith('+33') ? `0${kept.slice(3).replace(/^0/, '')}` : kept;
  if (national.startsWith('+')) {
    if (!COUNTRIES.test(national)) return { refused: 'phone_foreign' };
    return MOBILE.some((range) => range.test(national)) ? { phone: national } : { refused: 'phone_not_mobile' };
  }
  if (/^08|^0700/.test(national) || /^[1-9]\d{2,5}$/.test(national)) return { refused: 'phone_premium' };
  if (!/^0\d{9}$/.test(national)) return { refused: 'phone_invalid' };
  if (!/^0[67]/.test(national)) return { refused: 'phone_not_mobile' };
  const country = OVERSEAS.find(([range]) => range.test(national))?.[1] ?? '+33';
  return { phone: `${country}${national.slice(1)}` };
};

/** `06 •• •• •• 01`: what a page shows of a number. */
export const maskPhone = (phone: string): string => `0${phone.at(-9) ?? ''} •• •• •• ${phone.slice(-2)}`;
