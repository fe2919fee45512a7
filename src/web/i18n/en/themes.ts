import type { Catalogue } from '../fr.ts';

export const themes: Catalogue['themes'] = {
  label: {
    papiers: 'Papers, citizenship',
    famille: 'Family, school',
    social: 'Health, social care',
    travail: 'Work, training',
    logement: 'Housing',
    transports: 'Transport',
    argent: 'Money, taxes',
    justice: 'Justice',
    etranger: 'Foreigners, Europe',
    loisirs: 'Leisure, sport, culture',
  },
  description: {
    papiers: 'Identity card, passport, elections',
    famille: 'Family benefits, birth, school registration',
    social: 'Health card, disability, pension',
    travail: 'Looking for work, unemployment, training',
    logement: 'Housing benefit, social housing, building permit',
    transports: 'Driving licence, vehicle registration',
    argent: 'Taxes, fines, tax stamps, consumer matters',
    justice: 'Criminal record, help to pay a lawyer',
    etranger: 'Residence permit, procedures in another European country',
    loisirs: 'Sport, holidays, associations, museums',
  },
  warning: { argent: 'Careful: an over-indebtedness file is signed by the person alone.' },
};
