// What the daemon wants of people (src/identity/person.h).
import type { Role } from '../rest/types';

export const roles: Role[] = ['viewer', 'operator', 'admin'];
export const leastPassword = 8;
