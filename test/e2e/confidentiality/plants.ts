import { appendFile } from 'node:fs/promises';
import kafkajs from 'kafkajs';
import type pg from 'pg';
import type { Canary, Source } from '../../harness/canary.ts';
import { stemOf } from './secrets.ts';

/** Canaries in clear, one in each kind of place: a scan that does not find them all proves nothing. */
export class Plants {
  readonly row = stemOf('row');
  readonly deleted = stemOf('deleted');
  readonly message = stemOf('message');
  readonly line = stemOf('line');
  readonly statement = stemOf('statement');
  readonly metric = stemOf('metric');
  readonly error = stemOf('error');

  get canaries(): readonly Canary[] {
    return ['row', 'deleted', 'message', 'line', 'statement', 'metric', 'error'].map((name) => ({
      name: `planted: ${name}`,
      value: this[name as 'row'],
    }));
  }

  /** A row that stays, and one that goes: that one is in the files alone. */
  async inDatabase(superuser: pg.Client): Promise<void> {
    await superuser.query('create table plant (value text)');
    await superuser.query('insert into plant values ($1), ($2)', [this.row, this.deleted]);
    await superuser.query('delete from plant where value = $1', [this.deleted]);
    await superuser.query(`select '${this.statement}'`);
  }

  async inTopic(brokers: readonly string[], topic: string): Promise<void> {
    const producer = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING }).producer();
    await producer.connect();
    const messages = Array.from({ length: 20 }, (_, i) => ({ key: `${i}`, value: `${i} ${this.message}` }));
    await producer.send({ topic, messages, compression: kafkajs.CompressionTypes.GZIP });
    await producer.disconnect();
  }

  /** As a metric's label would hold it. */
  inMetrics(page: Source): Source {
    const text = 'bytes' in page ? page.bytes.toString() : '';
    return { name: page.name, bytes: Buffer.from(`${text}touchstone_planted{label="${this.metric}"} 1\n`) };
  }

  inLog(file: string): Promise<void> {
    return appendFile(file, `{"level":30,"msg":"${this.line}"}\n`);
  }
}
