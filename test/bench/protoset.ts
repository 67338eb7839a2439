import { create, type DescFile, toBinary } from '@bufbuild/protobuf';
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt';
import { IssuerService, RevocationService, ValidatorService } from '@touchstone/contracts';

/** What ghz needs to know of the services under load, out of the generated code: a FileDescriptorSet. */
export function protoset(): Uint8Array {
  const files = new Map<string, FileDescriptorProto>();
  for (const { file } of [IssuerService, ValidatorService, RevocationService]) addWithImports(files, file);
  addWithImports(files, file_google_protobuf_wrappers);
  const bare = [oneMethod('touchstone.bench', 'Null', 'Echo'), oneMethod('grpc.health.v1', 'Health', 'Check')];
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [...files.values(), ...bare] }));
}

function addWithImports(files: Map<string, FileDescriptorProto>, file: DescFile): void {
  for (const imported of file.dependencies) addWithImports(files, imported);
  files.set(file.proto.name, file.proto);
}

/** On the wire a HealthCheckRequest is a StringValue: one string with the number 1. */
const message = '.google.protobuf.StringValue';

const oneMethod = (packageName: string, service: string, method: string): FileDescriptorProto =>
  create(FileDescriptorProtoSchema, {
    name: `bench/${service}.proto`,
    package: packageName,
    syntax: 'proto3',
    dependency: [file_google_protobuf_wrappers.proto.name],
    service: [{ name: service, method: [{ name: method, inputType: message, outputType: message }] }],
  });
