import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

/** A service of the generated code as grpc-js takes it; answers may be given as what a message is made from. */
export const definitionOf = (service: DescService, typeName: string = service.typeName): ServiceDefinition =>
  Object.fromEntries(service.methods.map((method) => [method.name, methodOf(method, typeName)]));

function methodOf(
  method: DescMethod,
  typeName: string,
): MethodDefinition<Message, MessageInitShape<DescMethod['output']>> {
  const { input, output, methodKind } = method;
  const encode = (message: MessageInitShape<typeof output>) => asBuffer(toBinary(output, create(output, message)));
  return {
    path: `/${typeName}/${method.name}`,
    requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
    responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
    requestSerialize: (message) => asBuffer(toBinary(input, message)),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: encode,
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  };
}

/** The same memory as grpc-js wants it. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
