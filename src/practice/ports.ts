import './guard.ts';

/** The addresses of the demonstration: one port a program, counted from the base; a base of 0 takes any free port for each (tests). */
export const practicePorts = (base = 8400) => {
  const at = (offset: number): number => (base === 0 ? 0 : base + offset);
  return {
    relais: at(0),
    proconnect: at(1),
    franceconnect: at(2),
    allowances: at(3),
    taxes: at(4),
    messages: at(5),
    sms: at(6),
    witness1: at(7),
    witness2: at(8),
    front: at(9),
  };
};
