import { runService } from '@touchstone/service-kit';
import { validator } from './service.ts';

await runService(validator);
