export { Arrivals } from '../xmpp/arrivals.ts';
