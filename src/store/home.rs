//! The home of a run that lies in a bucket, `s3://BUCKET/FOLDER`; the run's folder on this machine is then a cache.
//!
//! Does not speak to a server: [`Objects`] does. Holds always:
//!
//! * The bucket says what is there. A record or a spec in the cache counts only as a copy of the bucket's; one that the
//!   bucket has lost is lost.
//! * A file comes into the cache whole and with the hash of its record, or not at all.
//! * Nothing is ever removed from the bucket, and no lock is in it: files have their hashes in their names, records
//!   come last, and whichever of two records is there names files that are there.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::atomic::{PendingFile, write_whole};
use super::check::{file_problem, other_hash};
use super::hashing::written;
use super::objects::{Objects, PIECE_BYTES, Place};
use super::{Check, FileRecord, StoreError};
use crate::domain::{Hasher, Sha256};

/// See the module. Copies are the same home.
#[derive(Clone)]
pub struct Home(Arc<Inner>);

struct Inner {
    objects: Box<dyn Objects>,
    url: PathBuf,
    /// The folder that is its cache on this machine.
    cache: PathBuf,
    /// Paths of records that this process has read from the bucket or written there.
    known: Mutex<HashSet<PathBuf>>,
}

/// How often a file that breaks off is fetched.
const COPIES: u32 = 3;
/// Records that a process remembers to have read: about 10 MB.
const MOST_KNOWN: usize = 1 << 16;

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Home({})", self.0.url.display())
    }
}

impl PartialEq for Home {
    fn eq(&self, other: &Self) -> bool {
        self.0.url == other.0.url
    }
}

impl Eq for Home {}

impl Home {
    /// The home at `path`, `s3://BUCKET/FOLDER`; an error if the bucket does not answer. Its cache is in a folder of
    /// its own in `caches`.
    pub fn open(path: &Path, caches: &Path) -> Result<Self, StoreError> {
        let Some(place) = Place::parse(path) else {
            return Err(StoreError::NotABucket { path: path.display().to_string() });
        };
        let objects = objects(&place)?;
        Ok(Self::of(objects, &place, caches))
    }

    pub(super) fn of(objects: Box<dyn Objects>, place: &Place, caches: &Path) -> Self {
        let url = place.to_string();
        let cache = caches.join(Sha256::of(url.as_bytes()).short());
        Self(Arc::new(Inner { objects, url: PathBuf::from(url), cache, known: Mutex::default() }))
    }

    /// `s3://BUCKET/FOLDER`.
    pub fn url(&self) -> &Path {
        &self.0.url
    }

    /// Its cache on this machine.
    pub fn cache(&self) -> &Path {
        &self.0.cache
    }

    /// Where the file that the cache has or would have at `path` is, for people.
    pub(super) fn address(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.0.cache).map_or_else(|_| path.to_owned(), |inside| self.0.url.join(inside))
    }

    /// A text about files in the cache, about those in the bucket.
    pub fn in_words(&self, text: &str) -> String {
        text.replace(&*self.0.cache.to_string_lossy(), &self.0.url.to_string_lossy())
    }

    fn key(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.0.cache).unwrap_or(path);
        let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        parts.join("/")
    }

    fn error(&self, verb: &'static str, path: &Path) -> impl FnOnce(String) -> StoreError {
        let path = self.address(path).display().to_string();
        move |problem| StoreError::Bucket { verb, path, problem }
    }

    /// The bytes of a small file.
    pub(super) fn read_once(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.objects.get(&self.key(path)).map_err(self.error("read", path))
    }

    /// The bytes of a small file; afterwards the cache has the same, or neither has it.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = self.read_once(path)?;
        match &bytes {
            Some(bytes) if fs::read(path).is_ok_and(|cached| cached == *bytes) => {}
            Some(bytes) => write_whole(path, bytes)?,
            None => match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(StoreError::io("remove", path)(error)),
                _ => {}
            },
        }
        Ok(bytes)
    }

    /// As [`Home::read`], for a record, which this process reads from the bucket once: a record changes only when a
    /// recipe does.
    pub(super) fn record(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        if self.known().contains(path)
            && let Ok(cached) = fs::read(path)
        {
            return Ok(Some(cached));
        }
        self.record_now(path)
    }

    /// As [`Home::record`]; what this process has read before does not count.
    pub(super) fn record_now(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.read(path)?;
        let mut known = self.known();
        if found.is_some() && known.len() < MOST_KNOWN {
            known.insert(path.to_owned());
        }
        Ok(found)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the bucket's file that of the cache.
    pub(super) fn send(&self, path: &Path) -> Result<(), StoreError> {
        self.send_from(path, path)
    }

    /// The same for a file that is to be at `path`, and has another name still.
    pub(super) fn send_from(&self, file: &Path, path: &Path) -> Result<(), StoreError> {
        self.0.objects.put(&self.key(path), file).map_err(self.error("write", path))
    }

    /// Brings a file of any size that no record describes into the cache, or removes it there if the bucket has none.
    pub(super) fn refresh(&self, path: &Path) -> Result<(), StoreError> {
        match self.0.objects.size(&self.key(path)).map_err(self.error("read", path))? {
            Some(bytes) if bytes > PIECE_BYTES => {
                let file = self.copy(path, || PendingFile::create(path).map(Some))?.file;
                file.map_or(Ok(()), PendingFile::commit)
            }
            _ => self.read(path).map(|_| ()),
        }
    }

    /// Brings the file of a record into the cache, unless it is there. What is wrong with it, if it is not what its
    /// record says.
    pub(super) fn bring(&self, path: &Path, file: &FileRecord) -> Result<Option<String>, StoreError> {
        if file_problem(path, file, Check::Hashes).is_none() { Ok(None) } else { self.fetch(path, file) }
    }

    fn fetch(&self, path: &Path, file: &FileRecord) -> Result<Option<String>, StoreError> {
        if let Some(problem) = self.size_problem(path, file)? {
            return Ok(Some(problem));
        }
        let Hashed { file: pending, hasher, .. } = self.copy(path, || PendingFile::create(path).map(Some))?;
        let found = hasher.finish();
        if found != file.sha256 {
            return Ok(Some(other_hash(found, file)));
        }
        if let Some(pending) = pending {
            pending.commit()?;
            written(path, found);
        }
        Ok(None)
    }

    /// What is wrong with the bucket's file of a record. With [`Check::Hashes`] all of its bytes are read; tables stay
    /// in the cache, because they are read next, and images do not, because they may be more than it can hold.
    pub(super) fn problem(&self, path: &Path, file: &FileRecord, check: Check) -> Result<Option<String>, StoreError> {
        if check == Check::Sizes {
            return self.size_problem(path, file);
        }
        if path.extension().is_none_or(|extension| extension != "tar") {
            return self.fetch(path, file);
        }
        if let Some(problem) = self.size_problem(path, file)? {
            return Ok(Some(problem));
        }
        let found = self.copy(path, || Ok(None))?.hasher.finish();
        Ok((found != file.sha256).then(|| other_hash(found, file)))
    }

    fn size_problem(&self, path: &Path, file: &FileRecord) -> Result<Option<String>, StoreError> {
        let size = self.0.objects.size(&self.key(path)).map_err(self.error("read", path))?;
        Ok(match size {
            None => Some("it is missing".to_owned()),
            Some(size) if size != file.bytes => Some(format!("it has {size} bytes instead of {}", file.bytes)),
            Some(_) => None,
        })
    }

    /// Copies a file of any size to what `start` gives, again from the beginning if it breaks off.
    fn copy(
        &self,
        path: &Path,
        start: impl Fn() -> Result<Option<PendingFile>, StoreError>,
    ) -> Result<Hashed, StoreError> {
        let mut tries = 0;
        loop {
            let mut target = Hashed { file: start()?, hasher: Hasher::default() };
            let copied = self.0.objects.get_into(&self.key(path), &mut target);
            tries += 1;
            match (copied, target.file.take().map(PendingFile::checked).transpose()?) {
                (Ok(()), file) => return Ok(Hashed { file, ..target }),
                (Err(problem), _) if tries == COPIES => return Err(self.error("read", path)(problem)),
                (Err(_), _) => {}
            }
        }
    }

    /// Some bytes of the bucket's file.
    pub(super) fn read_range(&self, path: &Path, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        self.0.objects.get_range(&self.key(path), range).map_err(self.error("read", path))
    }

    /// The paths that the bucket's files and folders in `folder` have or would have in the cache.
    pub(super) fn paths(&self, folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
        let names = self.0.objects.list(&self.key(folder)).map_err(self.error("list", folder))?;
        Ok(names.into_iter().map(|name| folder.join(name)).collect())
    }
}

#[cfg(feature = "s3")]
fn objects(place: &Place) -> Result<Box<dyn Objects>, StoreError> {
    match super::bucket::Bucket::open(place) {
        Ok(bucket) => Ok(Box::new(bucket)),
        Err(problem) => Err(StoreError::Bucket { verb: "open", path: place.to_string(), problem }),
    }
}

#[cfg(not(feature = "s3"))]
fn objects(place: &Place) -> Result<Box<dyn Objects>, StoreError> {
    Err(StoreError::NoBuckets { path: place.to_string() })
}

/// Takes the hash of what goes into a file, or into none.
struct Hashed {
    file: Option<PendingFile>,
    hasher: Hasher,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = self.file.as_mut().map_or(Ok(bytes.len()), |file| file.write(bytes))?;
        self.hasher.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::LiveRecord;
    use crate::store::{LastShard, NewRecord, RankProcess, RowCounts, RunDir, UnitState, is_in_bucket};

    /// A bucket in memory, and the calls that it got.
    #[derive(Debug, Default, Clone)]
    struct Memory(Arc<Mutex<Held>>);

    #[derive(Debug, Default)]
    struct Held {
        objects: BTreeMap<String, Vec<u8>>,
        calls: Vec<String>,
    }

    impl Memory {
        fn held(&self, call: String) -> std::sync::MutexGuard<'_, Held> {
            let mut held = self.0.lock().unwrap();
            held.calls.push(call);
            held
        }

        fn run(&self, caches: &Path) -> RunDir {
            let place = Place { bucket: "b".to_owned(), folder: "run".to_owned() };
            RunDir::in_bucket(Home::of(Box::new(self.clone()), &place, caches))
        }

        fn calls(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap().calls)
        }
    }

    impl Objects for Memory {
        fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
            Ok(self.held(format!("get {key}")).objects.get(key).cloned())
        }

        fn get_into(&self, key: &str, target: &mut dyn Write) -> Result<(), String> {
            let held = self.held(format!("copy {key}"));
            let bytes = held.objects.get(key).ok_or("it is missing")?;
            target.write_all(bytes).map_err(|error| error.to_string())
        }

        fn get_range(&self, key: &str, range: Range<u64>) -> Result<Vec<u8>, String> {
            let held = self.held(format!("range {key}"));
            let bytes = held.objects.get(key).ok_or("it is missing")?;
            Ok(bytes[range.start as usize..(range.end as usize).min(bytes.len())].to_vec())
        }

        fn put(&self, key: &str, file: &Path) -> Result<(), String> {
            let bytes = fs::read(file).map_err(|error| error.to_string())?;
            self.held(format!("put {key}")).objects.insert(key.to_owned(), bytes);
            Ok(())
        }

        fn size(&self, key: &str) -> Result<Option<u64>, String> {
            Ok(self.held(format!("size {key}")).objects.get(key).map(|bytes| bytes.len() as u64))
        }

        fn list(&self, folder: &str) -> Result<Vec<String>, String> {
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let held = self.held(format!("list {folder}"));
            let inside = held.objects.keys().filter_map(|key| key.strip_prefix(&prefix));
            let names: std::collections::BTreeSet<&str> =
                inside.map(|name| name.split_once('/').map_or(name, |(first, _)| first)).collect();
            Ok(names.into_iter().map(str::to_owned).collect())
        }
    }

    fn record(key: &[u8]) -> NewRecord {
        NewRecord { key: Sha256::of(key), rows: RowCounts::default(), lost: vec![], facts: BTreeMap::new(), sums: None }
    }

    #[test]
    fn places_are_a_bucket_and_a_folder() {
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(Place::parse(Path::new(path)).map(|place| place.to_string()).as_deref(), expected, "{path}");
        };
        check("s3://bucket/run", Some("s3://bucket/run"));
        check("s3://bucket/a/run/", Some("s3://bucket/a/run"));
        for wrong in ["s3://", "s3://bucket", "s3://bucket/", "s3:///run", "s3://bucket/a//b", "s3://bucket/../b"] {
            check(wrong, None);
        }
        assert!(is_in_bucket(Path::new("s3://x")) && !is_in_bucket(Path::new("runs/s3://x")));
    }

    #[test]
    fn files_are_sent_before_their_record_and_the_bucket_says_what_is_done() {
        let (caches, memory) = (tempfile::tempdir().unwrap(), Memory::default());
        let unit = memory.run(caches.path()).images(3);
        let made = unit.commit(&[("tar", b"images".to_vec()), ("parquet", b"rows".to_vec())], record(b"k")).unwrap();
        let json = "images/000/000003.json";
        let [tar, rows] = [0, 1].map(|at: usize| format!("images/000/{}", made.files[at].name));
        let files = [&tar, &rows].map(|name| format!("put {name}"));
        let of_record = ["get", "put", "get"].map(|call| format!("{call} {json}"));
        assert_eq!(memory.calls(), [&files[..], &of_record].concat());
        assert_eq!(unit.state(made.key, Check::Hashes).unwrap(), UnitState::Done(made.clone()));
        assert_eq!(memory.calls(), [format!("size {tar}"), format!("size {rows}")], "its record was read before");
        memory.0.lock().unwrap().objects.remove(&tar);
        assert!(matches!(unit.state(made.key, Check::Sizes).unwrap(), UnitState::Damaged(..)));
        // Another process has the copies alone.
        memory.0.lock().unwrap().objects.clear();
        let unit = memory.run(caches.path()).images(3);
        assert!(unit.dir.join(&made.files[0].name).is_file());
        assert_eq!(unit.state(made.key, Check::Sizes).unwrap(), UnitState::ToDo);
    }

    #[test]
    fn of_two_machines_with_unlike_bytes_the_first_record_stays() {
        let (caches, memory) = (tempfile::tempdir().unwrap(), Memory::default());
        let [one, two] = ["one", "two"].map(|name| memory.run(&caches.path().join(name)).images(0));
        let first = one.commit(&[("tar", b"one".to_vec())], record(b"k")).unwrap();
        let second = two.commit(&[("tar", b"two".to_vec())], record(b"k")).unwrap();
        assert_eq!(first, second);
        assert_eq!(two.record().unwrap(), Some(first));
        let other = two.commit(&[("tar", b"two".to_vec())], record(b"other")).unwrap();
        assert_eq!(other.key, Sha256::of(b"other"), "a record of other inputs gives way");
    }

    #[test]
    fn a_rank_that_was_taken_back_is_one_that_was_never_made() {
        let (caches, memory) = (tempfile::tempdir().unwrap(), Memory::default());
        let [node, login] = ["node", "login"].map(|name| memory.run(&caches.path().join(name)).job("0001"));
        let made = node.rank(3).commit(&[("parquet", b"rows".to_vec())], record(b"k")).unwrap();
        let said = LiveRecord { host: "n12".to_owned(), ..LiveRecord::default() };
        let process = RankProcess { rank: 3, device: None };
        node.write_live(&process, &said).unwrap();
        assert_eq!(login.live().unwrap(), BTreeMap::from([(3, vec![said])]));
        assert_eq!(login.rank(3).state(made.key, Check::Sizes).unwrap(), UnitState::Done(made.clone()));
        login.forget(&[3].into()).unwrap();
        let node = memory.run(&caches.path().join("node-2")).job("0001");
        for job in [&login, &node] {
            assert_eq!(job.rank(3).state(made.key, Check::Sizes).unwrap(), UnitState::ToDo);
            assert!(job.live().unwrap().is_empty());
        }
        let again = node.rank(3).commit(&[("parquet", b"rows".to_vec())], record(b"k")).unwrap();
        assert_eq!(again, made);
        assert!(matches!(
            memory.run(&caches.path().join("x")).job("0001").rank(3).state(made.key, Check::Hashes),
            Ok(UnitState::Done(_))
        ));
    }

    #[test]
    fn another_machine_reads_tables_whole_and_images_in_part() {
        let (caches, memory) = (tempfile::tempdir().unwrap(), Memory::default());
        let [here, there] = ["here", "there"].map(|name| memory.run(&caches.path().join(name)));
        here.images(0).commit(&[("tar", b"0123456789".to_vec()), ("parquet", b"rows".to_vec())], record(b"k")).unwrap();
        let unit = there.images(0);
        let record = unit.existing().unwrap();
        assert_eq!(fs::read(unit.checked(&record, "parquet").unwrap()).unwrap(), b"rows");
        let tar = unit.dir.join(&record.files[0].name);
        let last = LastShard::default();
        assert_eq!(there.read_member(&last, &tar, 3, 2).unwrap(), b"34");
        assert!(!tar.exists());
        assert_eq!(unit.problem(&record, Check::Hashes), None);
        assert!(
            !tar.exists() && here.read_member(&last, &here.images(0).dir.join(&record.files[0].name), 0, 1).is_ok()
        );
        // A cached table that was damaged is brought again; an object that was damaged is never cached.
        fs::write(unit.file(&record, "parquet").unwrap(), "r0ws").unwrap();
        assert_eq!(fs::read(unit.checked(&record, "parquet").unwrap()).unwrap(), b"rows");
        let parquet = format!("images/000/{}", record.files[1].name);
        memory.0.lock().unwrap().objects.insert(parquet, b"r0ws".to_vec());
        let (path, _) = unit.problem(&record, Check::Hashes).unwrap();
        let error = unit.damaged(&path, String::new()).to_string();
        assert!(error.starts_with("s3://b/run/images/000/000000."), "{error}");
    }

    #[test]
    fn a_folder_of_a_bucket_with_other_files_is_no_place_for_a_run() {
        let (caches, memory) = (tempfile::tempdir().unwrap(), Memory::default());
        memory.0.lock().unwrap().objects.insert("thesis.tex".to_owned(), Vec::new());
        let error = memory.run(caches.path()).create().err().unwrap().to_string();
        assert!(error.contains("s3://b/run") && error.contains("thesis.tex"), "{error}");
    }

    #[test]
    fn listings_of_a_bucket_take_the_place_of_folders() {
        let (caches, memory) = (tempfile::tempdir().unwrap(), Memory::default());
        let [here, there] = ["here", "there"].map(|name| memory.run(&caches.path().join(name)));
        here.predictions("b", 0).commit(&[("parquet", b"rows".to_vec())], record(b"k")).unwrap();
        here.mined("all-of-2.x").commit(&[("parquet", b"rows".to_vec())], record(b"k")).unwrap();
        assert_eq!(there.predicted().unwrap(), ["b"]);
        assert_eq!(there.minings().unwrap(), ["all-of-2.x"]);
        assert!(!there.has_images());
        memory.0.lock().unwrap().objects.insert("batches/00000.json".to_owned(), Vec::new());
        assert!(there.rounds().unwrap_err().to_string().contains("aws s3 sync s3://b/run DIR"));
    }
}
