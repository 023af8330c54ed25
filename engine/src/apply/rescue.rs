//! The port to what a recreate takes out of a cluster and puts back, beside the steps of its changes.

use futures::future::BoxFuture;
use serde_json::Value;

use crate::address::ObjectKey;
use crate::apply::ports::EnactError;
use crate::resource::Target;
use crate::vault::SecretBytes;

/// Takes a piece of a volume's bytes; an error ends the reading.
pub type Sink<'a> = &'a mut (dyn FnMut(&[u8]) -> Result<(), String> + Send);

/// Gives the next piece of a volume's bytes; `None` at their end, an error ends the writing.
pub type Source<'a> = &'a mut (dyn FnMut() -> Result<Option<SecretBytes>, String> + Send);

/// Reads and writes what lives in a cluster and in no file: Secrets with their values, objects that nobody recorded, the
/// bytes of volumes. What it hands out is secret.
pub trait Rescue: Send + Sync {
    /// Every Secret of those namespaces with its values, by key. A namespace that is not there has none.
    fn secrets<'a>(
        &'a self,
        target: &'a Target,
        namespaces: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(ObjectKey, Value)>, EnactError>>;

    /// Every other object of those namespaces that was made by somebody, the namespaces themselves, and the volumes that were
    /// made by hand for their claims: without what the server keeps of them, ready to be made again.
    fn export<'a>(
        &'a self,
        target: &'a Target,
        namespaces: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(ObjectKey, Value)>, EnactError>>;

    /// What a file in a kind node holds; `None` when there is none. One that is too large to be meant is cut off.
    fn read_file<'a>(
        &'a self,
        target: &'a Target,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Option<SecretBytes>, EnactError>>;

    /// Makes an object that is not there; one that is there is left as it is.
    fn restore<'a>(
        &'a self,
        target: &'a Target,
        key: &'a ObjectKey,
        object: &'a Value,
    ) -> BoxFuture<'a, Result<(), EnactError>>;

    /// Has a workload run that many pods; one that is not there is left alone.
    fn scale<'a>(
        &'a self,
        target: &'a Target,
        workload: &'a ObjectKey,
        replicas: u32,
    ) -> BoxFuture<'a, Result<(), EnactError>>;

    /// How many pods of a workload there still are, those on their way out too.
    fn running<'a>(&'a self, target: &'a Target, workload: &'a ObjectKey) -> BoxFuture<'a, Result<u32, EnactError>>;

    /// Moves a directory of the host to a place where nothing is, with everything in it, at once or not at all. One that is
    /// there no more, where its new place is, was moved before.
    ///
    /// Nothing is ever overwritten: a place that holds anything is refused.
    fn relocate<'a>(&'a self, target: &'a Target, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<(), EnactError>>;

    /// What would keep [`Rescue::relocate`] from doing that now; `from` is `None` where only the new place matters. Touches
    /// nothing.
    fn obstacle<'a>(
        &'a self,
        target: &'a Target,
        from: Option<&'a str>,
        to: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, EnactError>>;

    /// Reads all that a claim's volume holds, piece by piece; the same content gives the same bytes.
    fn read_volume<'a>(
        &'a self,
        target: &'a Target,
        claim: &'a ObjectKey,
        sink: Sink<'a>,
    ) -> BoxFuture<'a, Result<(), EnactError>>;

    /// Has a claim's volume hold exactly what [`Rescue::read_volume`] read; what it holds is replaced. A claim that waits for
    /// its first pod gets its volume now.
    fn write_volume<'a>(
        &'a self,
        target: &'a Target,
        claim: &'a ObjectKey,
        source: Source<'a>,
    ) -> BoxFuture<'a, Result<(), EnactError>>;
}
