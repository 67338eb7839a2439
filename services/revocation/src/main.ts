import { runService } from '@touchstone/service-kit';
import { revocation } from './service.ts';

await runService(revocation);
