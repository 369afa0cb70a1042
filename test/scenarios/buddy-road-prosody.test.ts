import { testBuddyRoad } from './buddy-road.ts';

testBuddyRoad('prosody');
