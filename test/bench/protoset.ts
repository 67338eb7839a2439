import { create, toBinary } from '@bufbuild/protobuf';
import {
  EmptySchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_empty,
} from '@bufbuild/protobuf/wkt';
import { IssuerService, RevocationService, ValidatorService } from '@touchstone/contracts';

/**
 * What ghz knows of the services under load: a FileDescriptorSet. Of their messages it knows nothing, so that it sends and takes
 * bytes as they are: taking answers apart would cost it more the more they say, and that would pass for the services' cost.
 */
export function protoset(): Uint8Array {
  const services = [IssuerService, ValidatorService, RevocationService].map(({ typeName, methods }) =>
    serviceOf(
      typeName,
      methods.filter(({ methodKind }) => methodKind === 'unary').map(({ name }) => name),
    ),
  );
  const bare = [serviceOf('touchstone.bench.Null', ['Echo']), serviceOf('grpc.health.v1.Health', ['Check'])];
  const file = [file_google_protobuf_empty.proto, ...services, ...bare];
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
}

/** All that a message says is unknown to one of this type, and kept. */
const message = `.${EmptySchema.typeName}`;

function serviceOf(typeName: string, methods: readonly string[]): FileDescriptorProto {
  const dot = typeName.lastIndexOf('.');
  const name = typeName.slice(dot + 1);
  return create(FileDescriptorProtoSchema, {
    name: `bench/${name}.proto`,
    package: typeName.slice(0, dot),
    syntax: 'proto3',
    dependency: [file_google_protobuf_empty.proto.name],
    service: [{ name, method: methods.map((method) => ({ name: method, inputType: message, outputType: message })) }],
  });
}
