import { runService } from '@touchstone/service-kit';
import { issuer } from './service.ts';

await runService(issuer);
