//! A bucket of S3, or of what speaks its protocol: objects in and out, by `object_store`.
//!
//! Does not know what is in them: [`super::Home`] does. Holds always: an object appears whole or not at all, also in
//! parts; a call is repeated for minutes while the server is away or asks for patience, because a run outlives both;
//! no call is conditional, because servers that ignore the condition overwrite silently.

use std::fs::File;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_core::Stream;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as Key;
use object_store::{BackoffConfig, ClientConfigKey, Error, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};
use tokio::runtime::{Builder, Runtime};

use super::objects::{Objects, PIECE_BYTES, Place};

/// How long the first call waits for a server: somebody may look at a wrong address.
const FIRST_PATIENCE: Duration = Duration::from_secs(20);
/// How long all others wait for a server that is away.
const PATIENCE: Duration = Duration::from_secs(240);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Tries of a call that `object_store` gives up, such as an answer that breaks off, and the pause after the first.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);
/// How long the transfer of one piece may take.
const PIECE_TIMEOUT: &str = "120 seconds";

/// What `object_store` says of a server that does not give a part of an object alone, as `rclone serve s3`.
const NO_RANGES: &str = "non-partial response";

/// A folder of a bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    store: AmazonS3,
    runtime: Runtime,
    folder: Key,
    patience: Duration,
}

impl Bucket {
    /// The bucket of `place`, with addresses and credentials from the environment (`AWS_*`) or from the machine's role;
    /// an error if it does not answer.
    pub(super) fn open(place: &Place) -> Result<Self, String> {
        let folder = Key::parse(&place.folder).map_err(|error| error.to_string())?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|e| e.to_string())?;
        // Whether there is such a bucket, and whether it may be listed, is known before any work.
        let patience = FIRST_PATIENCE;
        let impatient = Self { store: client(&place.bucket, patience)?, runtime, folder, patience };
        impatient.list("")?;
        Ok(Self { store: client(&place.bucket, PATIENCE)?, patience: PATIENCE, ..impatient })
    }

    fn key(&self, inside: &str) -> Result<Key, String> {
        Key::parse(format!("{}/{inside}", self.folder)).map_err(|error| error.to_string())
    }

    /// Runs a call, again if it fails for a reason that may pass.
    fn call<T>(&self, once: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
        let (start, mut pause) = (Instant::now(), PAUSE);
        for _ in 1..TRIES {
            match self.runtime.block_on(once()) {
                Err(Error::Generic { source, .. }) if source.to_string().contains(NO_RANGES) => {
                    return Err(Error::Generic { store: "S3", source });
                }
                Err(Error::Generic { .. }) if start.elapsed() < self.patience => std::thread::sleep(pause),
                ended => return ended,
            }
            pause *= 2;
        }
        self.runtime.block_on(once())
    }
}

fn client(bucket: &str, patience: Duration) -> Result<AmazonS3, String> {
    let backoff = BackoffConfig { max_backoff: LONGEST_PAUSE, ..BackoffConfig::default() };
    let retry = RetryConfig { backoff, max_retries: usize::MAX, retry_timeout: patience };
    let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
    let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
    builder.with_config(timeout, PIECE_TIMEOUT).build().map_err(|error| error.to_string())
}

/// What was found, or nothing; or what is wrong.
fn if_any<T>(found: Result<T, Error>) -> Result<Option<T>, String> {
    match found {
        // A bucket that is not there answers in the same way.
        Err(error @ Error::NotFound { .. }) if error_text(&error).contains("NoSuchBucket") => Err(error_text(&error)),
        Err(Error::NotFound { .. }) => Ok(None),
        found => found.map(Some).map_err(|error| error_text(&error)),
    }
}

/// An error with all its causes that its own text leaves out, in one line.
fn error_text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Objects for Bucket {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        let key = self.key(key)?;
        if_any(self.call(async || Ok(self.store.get(&key).await?.bytes().await?.to_vec())))
    }

    fn get_into(&self, key: &str, target: &mut dyn Write) -> Result<(), String> {
        let key = self.key(key)?;
        let found = self.call(async || self.store.get(&key).await).map_err(|error| error_text(&error))?;
        let mut pieces = found.into_stream();
        while let Some(piece) = self.runtime.block_on(next(&mut pieces)) {
            let piece = piece.map_err(|error| error_text(&error))?;
            target.write_all(&piece).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Vec<u8>, String> {
        let inside = self.key(key)?;
        match self.call(async || self.store.get_range(&inside, range.clone()).await) {
            Ok(bytes) => Ok(bytes.to_vec()),
            Err(error) if error_text(&error).contains(NO_RANGES) => {
                let whole = self.get(key)?.unwrap_or_default();
                let part = whole.get(range.start as usize..range.end as usize);
                part.map(<[u8]>::to_vec).ok_or_else(|| "it is missing or too short".to_owned())
            }
            Err(error) => Err(error_text(&error)),
        }
    }

    fn put(&self, key: &str, file: &Path) -> Result<(), String> {
        let key = self.key(key)?;
        let mut opened = File::open(file).map_err(|error| error.to_string())?;
        let bytes = opened.metadata().map_err(|error| error.to_string())?.len();
        if bytes > PIECE_BYTES {
            return self.put_in_parts(&key, &mut opened, bytes);
        }
        let piece = PutPayload::from(read_piece(&mut opened)?);
        let put = self.call(async || self.store.put(&key, piece.clone()).await);
        put.map(|_| ()).map_err(|error| error_text(&error))
    }

    fn size(&self, key: &str) -> Result<Option<u64>, String> {
        let key = self.key(key)?;
        if_any(self.call(async || Ok(self.store.head(&key).await?.size)))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        let folder = if folder.is_empty() { self.folder.clone() } else { self.key(folder)? };
        let found = self.call(async || self.store.list_with_delimiter(Some(&folder)).await);
        let found = found.map_err(|error| error_text(&error))?;
        let objects = found.objects.into_iter().map(|object| object.location);
        let names = objects.chain(found.common_prefixes).filter_map(|key| key.filename().map(str::to_owned));
        Ok(names.collect())
    }
}

impl Bucket {
    /// Of parts that nobody completes, servers keep invisible remains until a rule of the bucket removes them.
    fn put_in_parts(&self, key: &Key, file: &mut File, bytes: u64) -> Result<(), String> {
        let all = async {
            let mut upload = self.store.put_multipart(key).await.map_err(|error| error_text(&error))?;
            for _ in 0..bytes.div_ceil(PIECE_BYTES) {
                let piece = read_piece(file)?;
                if let Err(error) = upload.put_part(piece.into()).await {
                    // What is wrong is said by the first error.
                    let _ = upload.abort().await;
                    return Err(error_text(&error));
                }
            }
            upload.complete().await.map(|_| ()).map_err(|error| error_text(&error))
        };
        self.runtime.block_on(all)
    }
}

/// The next bytes of an object that comes.
async fn next<S: Stream + Unpin>(pieces: &mut S) -> Option<S::Item> {
    poll_fn(|context| Pin::new(&mut *pieces).poll_next(context)).await
}

/// The next bytes of a file, at most a piece of them.
fn read_piece(file: &mut File) -> Result<Vec<u8>, String> {
    let mut piece = Vec::new();
    file.take(PIECE_BYTES).read_to_end(&mut piece).map_err(|error| error.to_string())?;
    Ok(piece)
}
