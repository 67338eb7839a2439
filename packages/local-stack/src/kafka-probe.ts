import { once } from 'node:events';
import { connect } from 'node:net';

const patienceMs = 2_000;

// ApiVersions (key 18), version 0, correlation id 0, no client id: a request that needs neither login nor topic.
const apiVersionsRequest = Buffer.from('0000000a00120000' + '00000000' + 'ffff', 'hex');

/** Whether a Kafka broker answers requests on the port of 127.0.0.1; it accepts connections long before. */
export async function kafkaAnswers(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    socket.write(apiVersionsRequest);
    await once(socket, 'data', { signal: AbortSignal.timeout(patienceMs) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
