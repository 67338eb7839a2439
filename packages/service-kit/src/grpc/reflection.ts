import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';

/** Server reflection, so that grpcurl and its like need no proto files. */
export function addReflection(server: Server, services: readonly DescService[]): void {
  const files = new Map<string, Buffer>();
  const add = ({ proto, dependencies }: DescFile) => {
    if (files.has(proto.name)) return;
    for (const dependency of dependencies) add(dependency);
    files.set(proto.name, Buffer.from(toBinary(FileDescriptorProtoSchema, proto)));
  };
  for (const { file } of services) add(file);
  // All that the package looks at; the files go as they are, since proto-loader's own reading loses imports.
  const definition = { files: { fileDescriptorProtos: [...files.values()] } } as never;
  new ReflectionService(definition, { services: services.map((service) => service.typeName) }).addToServer(server);
}
