import { readFileSync } from 'node:fs';
import { type DescService, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { type Server, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { descriptorSetFile } from '@touchstone/contracts/descriptors';
import {
  type ExtensionRequest,
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from '@touchstone/contracts/grpc';
import { definitionOf } from './definition.ts';
import type { OpenStreams } from './open-streams.ts';

/** The most that ask at once, whoever they are: what they do not read of their answers is kept. */
const streamsMax = 32;

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']>;

/**
 * Server reflection, so that grpcurl and its like need no proto files. The files are told byte for byte as they were
 * compiled, with their comments, field rules and options.
 */
export function addReflection(server: Server, services: readonly DescService[], streams: OpenStreams): void {
  const files = filesByName();
  const symbols = new Map<string, string>();
  for (const file of files.values()) for (const symbol of symbolsOf(file)) symbols.set(symbol, file.name);
  const names = [...services.map((service) => service.typeName), 'grpc.health.v1.Health'];
  let open = 0;
  // v1alpha says the same under another name.
  for (const name of [ServerReflection.typeName, 'grpc.reflection.v1alpha.ServerReflection']) {
    server.addService(definitionOf(ServerReflection, name), {
      ServerReflectionInfo: (call: ServerDuplexStream<ServerReflectionRequest, object>) => {
        if (open === streamsMax) {
          const details = `at most ${streamsMax} may ask at once: try again later`;
          call.emit('error', { code: status.RESOURCE_EXHAUSTED, details });
          return;
        }
        open++;
        call.once('cancelled', () => open--);
        streams.add(call);
        call.on('data', (originalRequest: ServerReflectionRequest) => {
          const messageResponse = answerTo(originalRequest, { files, symbols, names });
          if (call.write({ originalRequest, messageResponse })) return;
          // Questions are small and answers large: whoever does not read them asks no more.
          call.pause();
          call.once('drain', () => call.resume());
        });
        call.on('end', () => call.end());
      },
    });
  }
}

interface Known {
  readonly files: ReadonlyMap<string, FileDescriptorProto>;
  /** The file that declares each symbol. */
  readonly symbols: ReadonlyMap<string, string>;
  readonly names: readonly string[];
}

function answerTo({ messageRequest: asked }: ServerReflectionRequest, { files, symbols, names }: Known): Answer {
  switch (asked.case) {
    case 'listServices':
      return { case: 'listServicesResponse', value: { service: names.map((name) => ({ name })) } };
    case 'fileByFilename':
      return fileAnswer(files.get(asked.value), files);
    case 'fileContainingSymbol':
      return fileAnswer(files.get(symbols.get(asked.value) ?? ''), files);
    case 'fileContainingExtension':
      return fileAnswer(extending(files, asked.value), files);
    case 'allExtensionNumbersOfType': {
      const extensions = [...files.values()].flatMap((file) => file.extension);
      const ofType = extensions.filter(({ extendee }) => extendee === `.${asked.value}`);
      const extensionNumber = ofType.map(({ number }) => number);
      return { case: 'allExtensionNumbersResponse', value: { baseTypeName: asked.value, extensionNumber } };
    }
    default:
      return nothing;
  }
}

const nothing: Answer = {
  case: 'errorResponse',
  value: { errorCode: status.NOT_FOUND, errorMessage: 'there is no such file or symbol' },
};

const fileAnswer = (file: FileDescriptorProto | undefined, files: Known['files']): Answer =>
  file ? { case: 'fileDescriptorResponse', value: { fileDescriptorProto: closureOf(file, files) } } : nothing;

const extending = (files: Known['files'], { containingType, extensionNumber }: ExtensionRequest) =>
  [...files.values()].find((file) =>
    file.extension.some(({ extendee, number }) => extendee === `.${containingType}` && number === extensionNumber),
  );

/** The file and all that it imports. */
function closureOf(file: FileDescriptorProto, files: Known['files']): Uint8Array[] {
  const wanted = new Set([file]);
  for (const one of wanted) {
    for (const name of one.dependency) {
      const imported = files.get(name);
      if (imported) wanted.add(imported);
    }
  }
  return [...wanted].map(encodedOnce);
}

const encoded = new WeakMap<FileDescriptorProto, Uint8Array>();

/** Anybody may ask, as often as they like. */
function encodedOnce(file: FileDescriptorProto): Uint8Array {
  const bytes = encoded.get(file) ?? toBinary(FileDescriptorProtoSchema, file);
  encoded.set(file, bytes);
  return bytes;
}

function symbolsOf(file: FileDescriptorProto): string[] {
  const inside = (prefix: string, message: FileDescriptorProto['messageType'][number]): string[] => {
    const name = `${prefix}.${message.name}`;
    return [
      name,
      ...message.field.map((field) => `${name}.${field.name}`),
      ...message.enumType.map((one) => `${name}.${one.name}`),
      ...message.nestedType.flatMap((nested) => inside(name, nested)),
    ];
  };
  return [
    ...file.messageType.flatMap((message) => inside(file.package, message)),
    ...file.enumType.map((one) => `${file.package}.${one.name}`),
    ...file.extension.map((one) => `${file.package}.${one.name}`),
    ...file.service.flatMap((one) => [
      `${file.package}.${one.name}`,
      ...one.method.map((method) => `${file.package}.${one.name}.${method.name}`),
    ]),
  ];
}

function filesByName(): Map<string, FileDescriptorProto> {
  const ours = fromBinary(FileDescriptorSetSchema, readFileSync(descriptorSetFile)).file;
  return new Map(ours.map((file) => [file.name, file]));
}
