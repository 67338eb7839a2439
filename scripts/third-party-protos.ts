/** Takes the protos of others from the packages that hold them into .cache/proto, where buf looks for them. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const protovalidate = 'github.com/bufbuild/protovalidate@v1.2.2';

export function takeThirdPartyProtos(root: string): void {
  const download = execFileSync('go', ['mod', 'download', '-json', protovalidate], { encoding: 'utf8' });
  const goModule: string = JSON.parse(download).Dir;
  const require = createRequire(import.meta.url);
  const googleProtos = dirname(require.resolve('google-proto-files/package.json'));
  const health = dirname(require.resolve('grpc-health-check/package.json'));
  const reflection = join(dirname(require.resolve('@grpc/reflection')), '../proto');
  const wanted = {
    'buf/validate/validate.proto': join(goModule, 'proto/protovalidate/buf/validate/validate.proto'),
    'google/rpc/error_details.proto': join(googleProtos, 'google/rpc/error_details.proto'),
    'grpc/health/v1/health.proto': join(health, 'proto/health/v1/health.proto'),
    'grpc/reflection/v1/reflection.proto': join(reflection, 'grpc/reflection/v1/reflection.proto'),
    'google/rpc/status.proto': join(googleProtos, 'google/rpc/status.proto'),
  };
  for (const [path, source] of Object.entries(wanted)) {
    const target = join(root, '.cache/proto', path);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(source, target);
  }
}
