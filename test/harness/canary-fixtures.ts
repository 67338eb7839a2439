// Made by the real compressors, since the decompressors here are our own.

/** Stands in each of these once it is decompressed; a part of it only as a reference to what came before. */
export const fixtureCanary = 'canary-0f1e2d3c4b5a6978@example.org';

/** Java: org.xerial.snappy.SnappyOutputStream 1.1.10.7. */
export const snappyXerial = Buffer.from(
  'glNOQVBQWQAAAAABAAAAAQAAALbmBPBDeyJub3RlIjoiY2FuYXJ5LTBmMWUyZDNjIGlzIG5vdCBpdCIsImF0IjoiNjk3OEBleGFtcGxlLmNvbSJ9Cnsic3ViIjo+PAAQNGI1YTYuLgCIb3JnIiwicm93IjowLCJpc3MiOiJodHRwczovL2lzc3Vlci4RWQEr0lkADDc5MTn+XABeXAAQMTU4Mzj+XQBeXQAQMjM3NTf+XQBeXQAQMzE2Nzb+XQBiXQAMOTU5NZJdAA==',
  'base64',
);

/** Kafka's own client 4.4, snappy. */
export const kafkaSnappyJava = Buffer.from(
  'AAAAAAAAAAAAAAE+AAAAAALEItRtAAIAAAAGAAABi8/laAAAAAGLz+VoBv//////////////////AAAAB4JTTkFQUFkAAAAAAQAAAAEAAAD5qwXwWIgBAAAABGsweHsibm90ZSI6ImNhbmFyeS0wZjFlMmQzYyBpcyBub3QgaXQiLCJhdCI6IjY5NzhAZXhhbXBsZS5jb20ifQDCAQACAgRrMbABeyJzdWIiOiJjNkYADDRiNWEyOACob3JnIiwicm93IjowLCJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLgErLH0AyAEABAQEazK2AcpjAAw3OTE5kmYAIMoBAAYGBGszuM5mABAxNTgzOJ5nABAICARrNNJnABAyMzc1N55nABAKCgRrNdJnABAzMTY3Np5nABAMDARrNtZnAAw5NTk1kmcA',
  'base64',
);

/** Kafka's own client 4.4, lz4. */
export const kafkaLz4 = Buffer.from(
  'AAAAAAAAAAAAAAEyAAAAAAIPgHbpAAMAAAAGAAABi8/laAAAAAGLz+VoBv//////////////////AAAABwQiTRhgQILyAAAA/kaIAQAAAARrMHh7Im5vdGUiOiJjYW5hcnktMGYxZTJkM2MgaXMgbm90IGl0IiwiYXQiOiI2OTc4QGV4YW1wbGUuY29tIn0AwgEAAgIEazGwAXsic3ViRgBJNGI1YTgA9BRvcmciLCJyb3ciOjAsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmMAACsAv30AyAEABAQEazK2YwAhTzc5MTlmABKfygEABgYEazO4ZgAhXzE1ODM4ZwAVXwgIBGs0ZwAiXzIzNzU3ZwAVXwoKBGs1ZwAiXzMxNjc2ZwAVXwwMBGs2ZwAjTzk1OTVnAA1QcmcifQAAAAAA',
  'base64',
);

/** Kafka's own client 4.4, zstd. */
export const kafkaZstd = Buffer.from(
  'AAAAAAAAAAAAAAEPAAAAAAJZSp6PAAQAAAAGAAABi8/laAAAAAGLz+VoBv//////////////////AAAAByi1L/0AWJQGAKILKytgh6oDnnGzMwiCuNGAn2t0D9ECYRvMnk0YpnxotHIjbe2RUBKAVMBDwiA7Lrr4ai8WDz7WXG2FAjrYnkftRAJqkGMKrTYCoVZDZBEmPLW71WJQl0eubVxKwVhyOCSe5DxweYylN458gb1vHrl2OsgDQsG3LARW+3BQa0FdLrFRgxJMJLNCASAY3+XzfPMsMdlODJaYqAU8lAk4DIM7pxldnmY73VJxaiul1kENAMBDBk4dlFrg1EGpBaeuhlIHziMNDxE4dWZ4ydYjq8QLZwEAAA==',
  'base64',
);

/** Kafka's own client 4.4, gzip. */
export const kafkaGzip = Buffer.from(
  'AAAAAAAAAAAAAAEQAAAAAAIK5PuCAAEAAAAGAAABi8/laAAAAAGLz+VoBv//////////////////AAAABx+LCAAAAAAAAP+dzbFuwjAUBVAbPSGE+IjozRTiGMdxpv6KSQ2NXAiKjQAh9n5Op6ozE+Kr8AjqYnl8evfe800JIWDz4xm3nTdYY6O3uj+95Stmig/eZK3LwidrPU5R+xAolazezVFvdl9m1nQbvJArJYMBWPZDz+j2y/8ri6XQL72uX4e9vjtgnU+xdS50Pr3fuXo+D9fe9LPn6IXcKAEAW/ymEFIxFaXcKRkOwfK/FIWJilexzGgEdpHEFFwKGcuMx2BFEsNZKctYZjIBW6YxSigRxTwAALEoY6sCAAA=',
  'base64',
);

/** A raw snappy block. */
export const snappyRaw = Buffer.from(
  '5gTwQ3sibm90ZSI6ImNhbmFyeS0wZjFlMmQzYyBpcyBub3QgaXQiLCJhdCI6IjY5NzhAZXhhbXBsZS5jb20ifQp7InN1YiI6PjwAEDRiNWE2Li4AiG9yZyIsInJvdyI6MCwiaXNzIjoiaHR0cHM6Ly9pc3N1ZXIuEVkBK9JZAAw3OTE5/lwAXlwAEDE1ODM4/l0AXl0AEDIzNzU3/l0AXl0AEDMxNjc2/l0AYl0ADDk1OTWSXQA=',
  'base64',
);

/** lz4 -9, version 1.9.4. */
export const lz4Cli = Buffer.from(
  'BCJNGGRAp6kAAAD+M3sibm90ZSI6ImNhbmFyeS0wZjFlMmQzYyBpcyBub3QgaXQiLCJhdCI6IjY5NzhAZXhhbXBsZS5jb20ifQp7InN1YjwASTRiNWEuAPgUb3JnIiwicm93IjowLCJpc3MiOiJodHRwczovL2lzc3Vlci4rAA9ZACJPNzkxOVwARV8xNTgzOF0ARV8yMzc1N10ARV8zMTY3Nl0ARk85NTk1XQANUHJnIn0KAAAAAAy5ozY=',
  'base64',
);

/** A column value as PostgreSQL 15 keeps it in the row, compressed by pglz. */
export const toastPglz = Buffer.from(
  'MgMAAJQJAAAAeyJub3RlIjoAImNhbmFyeS0AMGYxZTJkM2MAIGlzIG5vdCAAaXQiLCJhdCIAOiI2OTc4QGUAeGFtcGxlLmMAb20ifQp7InOEdWIPPAA0YjVhCi4Ab3JnIiwicm8AdyI6MCwiaXMAcyI6Imh0dHAAczovL2lzc3UYZXIuCSsPWSM3OTGCOQ9cRjE1ODM4D11GIDIzNzU3D11GMzEINjc2D11HOTU5Nf8PXRIvZf8vZf8vZf8PXEUvZf8vZf8vZf8BL2Vg',
  'base64',
);

/** The same compressed by lz4. */
export const toastLz4 = Buffer.from(
  '/gIAAJQJAED+M3sibm90ZSI6ImNhbmFyeS0wZjFlMmQzYyBpcyBub3QgaXQiLCJhdCI6IjY5NzhAZXhhbXBsZS5jb20ifQp7InN1YjwASTRiNWEuAPQUb3JnIiwicm93IjowLCJpc3MiOiJodHRwczovL2lzc3Vlci5ZAAArAA9ZACJPNzkxOVwARV8xNTgzOF0ARV8yMzc1N10ARV8zMTY3Nl0ARk85NTk1XQARD2UC/////////x5Qb3JnIn0=',
  'base64',
);
