import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type DescService, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { type Server, type ServerDuplexStream, type ServiceDefinition, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { descriptorSetFile } from '@touchstone/contracts/descriptors';
import type { OpenStreams } from './open-streams.ts';

const require = createRequire(import.meta.url);
const reflectionFolder = join(dirname(require.resolve('@grpc/reflection')), '../proto');

/** The part of grpc.reflection.v1 that is used. */
interface Question {
  readonly fileByFilename?: string;
  readonly fileContainingSymbol?: string;
  readonly fileContainingExtension?: { readonly containingType: string; readonly extensionNumber: number };
  readonly allExtensionNumbersOfType?: string;
  readonly listServices?: string;
}

/**
 * Server reflection, so that grpcurl and its like need no proto files. The files are told byte for byte as they were
 * compiled, with their comments, field rules and options.
 */
export function addReflection(server: Server, services: readonly DescService[], streams: OpenStreams): void {
  const files = filesByName();
  const symbols = new Map<string, string>();
  for (const file of files.values()) for (const symbol of symbolsOf(file)) symbols.set(symbol, file.name);
  const names = [...services.map((service) => service.typeName), 'grpc.health.v1.Health'];
  for (const version of ['v1', 'v1alpha']) {
    const name = `grpc.reflection.${version}.ServerReflection`;
    const loaded = loadSync(`grpc/reflection/${version}/reflection.proto`, {
      includeDirs: [reflectionFolder],
      oneofs: false,
    });
    server.addService(loaded[name] as ServiceDefinition, {
      ServerReflectionInfo: (call: ServerDuplexStream<Question, object>) => {
        streams.add(call);
        call.on('data', (question) => {
          if (call.write({ originalRequest: question, ...answerTo(question, { files, symbols, names }) })) return;
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

function answerTo(question: Question, { files, symbols, names }: Known): object {
  if (question.listServices !== undefined)
    return { listServicesResponse: { service: names.map((name) => ({ name })) } };
  const file =
    question.fileByFilename !== undefined
      ? files.get(question.fileByFilename)
      : question.fileContainingSymbol !== undefined
        ? files.get(symbols.get(question.fileContainingSymbol) ?? '')
        : question.fileContainingExtension && extending(files, question.fileContainingExtension);
  if (file) return { fileDescriptorResponse: { fileDescriptorProto: closureOf(file, files) } };
  if (question.allExtensionNumbersOfType !== undefined) {
    const type = question.allExtensionNumbersOfType;
    const extensionNumber = [...files.values()].flatMap((one) =>
      one.extension.filter(({ extendee }) => extendee === `.${type}`).map((one) => one.number),
    );
    return { allExtensionNumbersResponse: { baseTypeName: type, extensionNumber } };
  }
  return { errorResponse: { errorCode: status.NOT_FOUND, errorMessage: 'there is no such file or symbol' } };
}

const extending = (
  files: Known['files'],
  { containingType, extensionNumber }: { readonly containingType: string; readonly extensionNumber: number },
) =>
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
