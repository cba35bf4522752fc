import type { DestinationType } from '../core/destination.ts';

export const destinationTypes: readonly DestinationType[] = [];
