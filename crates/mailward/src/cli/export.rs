//! `mailward export`: what is listed, for other programs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::client::{Client, query};
use super::{Done, Failed};
use crate::export::Form;

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// The form: rbldnsd, bind, rpz, plain, csv, json, nft or postfix-cidr.
    #[arg(long, default_value = "json")]
    format: Form,
    /// Which list: bl, bl4, bl6, net, policy, bounce, info, dom or all [default: bl; without
    /// it JSON has one object for each block in force].
    #[arg(long)]
    zone: Option<String>,
    /// Entries that come from others (code 17) too, for your own use only.
    #[arg(long)]
    with_external: bool,
    /// Write here instead of to standard output; the file is replaced when all is written.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn export(client: &Client, args: &ExportArgs) -> Done {
    match &args.out {
        None => write(client, args, &mut Printed)?,
        Some(path) => to_file(client, args, path)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Standard output, whose reader may go away.
struct Printed;

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if std::io::stdout().lock().write_all(bytes).is_err() {
            std::process::exit(0);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn to_file(client: &Client, args: &ExportArgs, path: &Path) -> Result<(), Failed> {
    let part = part_of(path);
    let fault = |error: std::io::Error| Failed::Here(format!("{}: {error}", part.display()));
    let file = File::create_new(&part).map_err(fault)?;
    let filled = fill(client, args, file, &fault).and_then(|()| std::fs::rename(&part, path).map_err(fault));
    if filled.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    filled
}

/// Where a file is written: beside it, under a name that no other export has.
fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".part.{}", std::process::id()));
    part.into()
}

fn fill(
    client: &Client,
    args: &ExportArgs,
    file: File,
    fault: &dyn Fn(std::io::Error) -> Failed,
) -> Result<(), Failed> {
    let mut out = BufWriter::new(file);
    write(client, args, &mut out)?;
    out.flush().map_err(fault)?;
    out.get_ref().sync_all().map_err(fault)
}

fn write(client: &Client, args: &ExportArgs, out: &mut dyn Write) -> Result<(), Failed> {
    if args.format == Form::Json && args.zone.is_none() && !args.with_external {
        return cases(client, out);
    }
    let usual = if args.format == Form::Rpz { "rpz" } else { "bl" };
    let zone = args.zone.as_deref().unwrap_or(usual);
    let path =
        format!("/v1/export?format={}&zone={}&external={}", args.format, query(zone), args.with_external);
    Ok(client.copy(&path, out)?)
}

/// The blocks in force, one object a line.
fn cases(client: &Client, out: &mut dyn Write) -> Result<(), Failed> {
    for mut case in client.get("/v1/list")?.as_array().cloned().unwrap_or_default() {
        // A link is a secret of its case (ADV-14).
        if let Some(fields) = case.as_object_mut() {
            fields.remove("link");
        }
        writeln!(out, "{case}").map_err(|error| error.to_string())?;
    }
    Ok(())
}
